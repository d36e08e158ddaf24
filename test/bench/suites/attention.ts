/** `lensor bench attention`: causal, nine query heads and three of keys, against torch's scaled_dot_product_attention. */
import type { Contest } from "../figure.ts";
import type { Options } from "../options.ts";

const HEADS = 9;
const KV_HEADS = 3;
const WIDTH = 64;
/** How much of the peer's speed at least. */
const RATIOS = { forward: { f32: 1.2, bf16: 2 }, backward: { f32: 1.3, bf16: 2 } } as const;

export const attention = {
  rounds: 21,
  contests({ short, context }: Options): Contest[] {
    const lengths = context ? [context] : short ? [256] : [1024, 4096];
    return lengths.flatMap((T) =>
      (["forward", "backward"] as const).flatMap((pass) =>
        (["f32", "bf16"] as const).map((dtype): Contest => {
          const args = { heads: HEADS, kvHeads: KV_HEADS, width: WIDTH, T, dtype, pass };
          const job = { prepare: "attention", args };
          return {
            name: `${T} tokens ${pass} ${dtype}`,
            unit: "GFLOP/s",
            work: gigaFlops(T, pass),
            bound: { probe: dtype, each: 1e9 },
            ours: job,
            peers: [{ label: "attention", script: "products", job }],
            targets: short ? {} : { ratio: { "": RATIOS[pass][dtype] } },
          };
        }),
      ),
    );
  },
};

/** Two products of half a square of scores forward; five back, the scores made anew among them. */
function gigaFlops(T: number, pass: "forward" | "backward"): number {
  const product = (2 * HEADS * WIDTH * T * (T + 1)) / 2 / 1e9;
  return product * (pass === "forward" ? 2 : 5);
}
