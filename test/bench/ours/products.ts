/** Products and attention through tensors. */
import { nn, scope, type Tensor, tensor } from "../../../lib/index.ts";
import { native } from "../../../lib/native.ts";
import type { Run } from "./main.ts";

type Float = "f32" | "bf16";

/** A turn repeats its job for about this long. */
const FILL_SECONDS = 0.015;

/** Runs `body` often enough for the clock; it returns the seconds that count, of so many in a row. */
async function repeated(body: (times: number) => Promise<number>): Promise<Run> {
  await body(1);
  const count = Math.max(1, Math.round(FILL_SECONDS / (await body(1))));
  return async () => ({ seconds: await body(count), count });
}

/**
 * Waits for a tensor, and with it for all that was enqueued before: one number is read, through a view that would else hold
 * the memory until the collector finds it, and the next result would stand in pages that are new.
 */
async function finished(x: Tensor): Promise<void> {
  const first = x.at(...x.shape.map(() => 0));
  await first.item();
  first.dispose();
}

const since = (start: number) => (performance.now() - start) / 1000;

export function gemm({ M, K, N, dtype }: { M: number; K: number; N: number; dtype: Float }): Promise<Run> {
  const [a, b] = [
    tensor.randn([M, K], { seed: 1 }).cast(dtype),
    tensor.randn([K, N], { seed: 2 }).cast(dtype),
  ];
  return repeated(async (times) => {
    await finished(b);
    const start = performance.now();
    for (let i = 1; i < times; i++) a.matmul(b).dispose();
    const last = a.matmul(b);
    await finished(last);
    const seconds = since(start);
    last.dispose();
    return seconds;
  });
}

export function attention(args: {
  heads: number;
  kvHeads: number;
  width: number;
  T: number;
  dtype: Float;
  pass: "forward" | "backward";
}): Promise<Run> {
  const { heads, kvHeads, width, T, dtype, pass } = args;
  const made = (count: number, seed: number) => tensor.randn([count, T, width], { seed }).cast(dtype);
  const [q, k, v, seed] = [made(heads, 1), made(kvHeads, 2), made(kvHeads, 3), made(heads, 4)] as const;
  if (pass === "forward")
    return repeated(async (times) => {
      await finished(seed);
      const start = performance.now();
      for (let i = 1; i < times; i++) nn.attention(q, k, v, { causal: true }).dispose();
      const last = nn.attention(q, k, v, { causal: true });
      await finished(last);
      const seconds = since(start);
      last.dispose();
      return seconds;
    });
  const leaves = [q, k, v].map((x) => x.detach().requiresGrad());
  return repeated(async (times) => {
    let seconds = 0;
    for (let i = 0; i < times; i++) {
      const out = nn.attention(leaves[0]!, leaves[1]!, leaves[2]!, { causal: true });
      await finished(out);
      const start = performance.now();
      out.backward(seed);
      await finished(leaves[0]!.grad!);
      seconds += since(start);
      for (const leaf of leaves) leaf.zeroGrad();
      out.dispose();
    }
    return seconds;
  });
}

/**
 * What attention and its gradient hold at most beside q, k, v, the seed, the result and the gradients: the kernels' own memory
 * and what the tape keeps. The engine remembers the largest peak alone, so jobs in one process must grow.
 */
export async function attentionMemory(args: {
  heads: number;
  kvHeads: number;
  width: number;
  T: number;
  dtype: Float;
}): Promise<Run> {
  const { heads, kvHeads, width, T, dtype } = args;
  return async () => {
    const start = performance.now();
    const made = (count: number, seed: number) =>
      scope(() => tensor.randn([count, T, width], { seed }).cast(dtype));
    const seed = made(heads, 4);
    const leaves = [made(heads, 1), made(kvHeads, 2), made(kvHeads, 3)].map((x) => x.requiresGrad());
    await finished(leaves[2]!);
    const out = nn.attention(leaves[0]!, leaves[1]!, leaves[2]!, { causal: true });
    out.backward(seed);
    const tensors = [...leaves, seed, out, ...leaves.map((x) => x.grad!)];
    await finished(tensors.at(-1)!);
    // The tape has let go of all that it kept: what lives now are these.
    const { peak, live } = native().memory();
    for (const x of tensors) x.dispose();
    return { seconds: since(start), count: 1, extraBytes: peak - live };
  };
}
