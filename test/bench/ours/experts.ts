/** A layer of experts forward and back, by the grouped product and as a loop over the experts. */
import { nn, scope, type Tensor, tensor } from "../../../lib/index.ts";
import type { Run } from "./main.ts";

export interface ExpertsArgs {
  experts: number;
  topK: number;
  tokens: number;
  width: number;
  inside: number;
  dtype: "f32" | "bf16";
  how: "grouped" | "loop";
}

/** A turn repeats its job for about this long. */
const FILL_SECONDS = 0.05;

/**
 * Whose experts a token has: the i-th expert is wanted in proportion to 1 / (i + 1), so that half of them do a tenth of the work.
 * The same for both sides: drawn by a linear congruence.
 */
export function skewed({
  experts,
  topK,
  tokens,
}: Pick<ExpertsArgs, "experts" | "topK" | "tokens">): number[][] {
  let state = 12345;
  const draw = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  const weights = Array.from({ length: experts }, (_, e) => 1 / (e + 1));
  const total = weights.reduce((a, b) => a + b);
  return Array.from({ length: tokens }, () => {
    const chosen: number[] = [];
    while (chosen.length < topK) {
      let at = draw() * total;
      const e = weights.findIndex((weight) => (at -= weight) < 0);
      if (e >= 0 && !chosen.includes(e)) chosen.push(e);
    }
    return chosen;
  });
}

export async function experts(args: ExpertsArgs): Promise<Run> {
  const { experts: count, topK, tokens, width, inside, dtype, how } = args;
  const made = (shape: number[], seed: number) =>
    scope(() => tensor.randn(shape, { seed }).mul(0.05).cast(dtype)).requiresGrad();
  const x = made([tokens, width], 1);
  const shapes = [
    [inside, width],
    [inside, width],
    [width, inside],
  ] as const;
  // A loop's experts are matrices of their own, as one writes them there: a slice's gradient would be a whole stack.
  const weights =
    how === "grouped"
      ? shapes.map((shape, i) => made([count, ...shape], 2 + i))
      : shapes.flatMap((shape, i) =>
          Array.from({ length: count }, (_, e) => made([...shape], 10 + e * 3 + i)),
        );
  const choices = skewed(args);
  const choice = tensor(BigInt64Array.from(choices.flat(), BigInt), { shape: [tokens, topK] });
  const gates = tensor.full([tokens, topK], 1 / topK);
  const seed = tensor.randn([tokens, width], { seed: 5 }).cast(dtype);
  const layer = how === "grouped" ? grouped : loop;
  const once = async () => {
    const out = scope(() => layer(x, weights, choice, choices, gates, count));
    out.backward(seed);
    await finished([x, ...weights]);
    for (const leaf of [x, ...weights]) leaf.zeroGrad();
    out.dispose();
  };
  await once();
  const start = performance.now();
  await once();
  const times = Math.max(1, Math.round((FILL_SECONDS * 1000) / (performance.now() - start)));
  return async () => {
    const begin = performance.now();
    for (let i = 0; i < times; i++) await once();
    return { seconds: (performance.now() - begin) / 1000, count: times };
  };
}

async function finished(leaves: readonly Tensor[]): Promise<void> {
  for (const leaf of leaves) {
    const gradient = leaf.grad;
    // No token came to this expert.
    if (!gradient) continue;
    const first = gradient.at(...gradient.shape.map(() => 0));
    await first.item();
    first.dispose();
    gradient.dispose();
  }
}

function grouped(
  x: Tensor,
  [gate, up, down]: readonly Tensor[],
  choice: Tensor,
  _: number[][],
  gates: Tensor,
  count: number,
): Tensor {
  const { rows, order, offsets } = nn.dispatch(x, choice, count);
  const hidden = nn.swiglu(nn.grouped(rows, gate!, offsets), nn.grouped(rows, up!, offsets));
  return nn.combine(nn.grouped(hidden, down!, offsets), order, gates);
}

/** What one writes without it: each expert by itself, its tokens picked out and its results put back. */
function loop(
  x: Tensor,
  weights: readonly Tensor[],
  _: Tensor,
  choices: number[][],
  gates: Tensor,
  count: number,
): Tensor {
  let out: Tensor = x.mul(0);
  for (let e = 0; e < count; e++) {
    const tokens = choices.flatMap((chosen, t) => (chosen.includes(e) ? [t] : []));
    if (tokens.length === 0) continue;
    const [gate, up, down] = [0, 1, 2].map((i) => weights[i * count + e]!) as [Tensor, Tensor, Tensor];
    const rows = x.indexSelect(0, tokens);
    const hidden = nn.swiglu(nn.linear(rows, gate), nn.linear(rows, up));
    const places = tokens.map((t) => t * choices[t]!.length + choices[t]!.indexOf(e));
    const share = gates.reshape(-1).indexSelect(0, places).cast(x.dtype).unsqueeze(1);
    const index = tensor(BigInt64Array.from(tokens, BigInt), { shape: [tokens.length] });
    out = out.indexAdd(0, index, nn.linear(hidden, down).mul(share));
  }
  return out;
}
