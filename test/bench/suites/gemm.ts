/** `lensor bench gemm`: products of the shapes that a small transformer is made of, against torch.mm. */
import type { Contest } from "../figure.ts";
import type { Options } from "../options.ts";

const SHAPES: readonly (readonly [number, number])[] = [
  [576, 576],
  [576, 1536],
  [1536, 576],
  [576, 49152],
];
const SHARES = { f32: 0.85, bf16: 0.8 } as const;

export const gemm = {
  rounds: 21,
  contests({ short }: Options): Contest[] {
    return [512, 2048].flatMap((M) =>
      SHAPES.filter(([, N]) => !short || (M === 512 && N < 40_000)).flatMap(([K, N]) =>
        (["f32", "bf16"] as const).map((dtype): Contest => {
          const job = { prepare: "gemm", args: { M, K, N, dtype } };
          return {
            name: `${M} x ${K} x ${N} ${dtype}`,
            unit: "GFLOP/s",
            work: (2 * M * K * N) / 1e9,
            bound: { probe: dtype, each: 1e9 },
            ours: job,
            peers: [{ label: "torch.mm", script: "products", job }],
            targets: short ? {} : { share: SHARES[dtype] },
          };
        }),
      ),
    );
  },
};
