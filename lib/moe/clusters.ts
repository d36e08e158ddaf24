// Which neurons of an MLP go together: balanced k-means over the directions that their gates look for (MoEfication, Zhang et al.
// 2022, section 3.2). Every expert gets as many.

import { philox } from "../tensor/random.ts";
import { scope, untrack } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Experts } from "./experts.ts";

export interface Clustering {
  /** Of each expert, ascending. */
  readonly neurons: readonly number[][];
  /** What every token has, ascending. */
  readonly shared: readonly number[];
  /** The router's rows, f32 `[experts, width]`: where each expert's gates look on average. */
  readonly router: Tensor;
}

const ROUNDS = 6;
/** Length of a router's row: short, so that gates start nearly alike and only the order counts. */
const LENGTH = 0.02;

/** @param matrix A new tensor of the MLP's "ffn_gate", "ffn_up", "ffn_down" */
export async function clustered(
  matrix: (part: string) => Tensor,
  { count, shared }: Experts,
  seed: number,
): Promise<Clustering> {
  const { directions, sizes } = scope(() => {
    const [gate, up, down] = [matrix("ffn_gate"), matrix("ffn_up"), matrix("ffn_down")];
    const lengths = [gate.pow(2).sum(1), up.pow(2).sum(1), down.pow(2).sum(0)];
    const directions = gate.div(lengths[0]!.add(1e-12).pow(0.5).unsqueeze(1));
    return { directions, sizes: lengths.reduce((a, b) => a.mul(b)) };
  });
  const weight = (await sizes.data()) as Float32Array;
  sizes.dispose();
  const each = weight.length / (count + shared);
  // What gives most, whatever it is asked: a neuron's output is bounded by the product of its three lengths.
  const common = largest(weight, shared * each);
  const others = Array.from(weight, (_, i) => i).filter((i) => !common.has(i));
  const features = directions.indexSelect(0, others);
  directions.dispose();
  let assigned = firstOf(others.length, count, each, seed);
  let centres = centresOf(features, assigned);
  for (let round = 0; round < ROUNDS; round++) {
    const like = scope(() => features.matmul(centres.T));
    const next = balanced((await like.data()) as Float32Array, others.length, count, each);
    like.dispose();
    centres.dispose();
    centres = centresOf(features, next);
    const same = String(next) === String(assigned);
    assigned = next;
    if (same) break;
  }
  features.dispose();
  const router = scope(() => centres.mul(LENGTH));
  centres.dispose();
  untrack(router);
  return {
    neurons: assigned.map((list) => list.map((i) => others[i]!)),
    shared: [...common].sort((a, b) => a - b),
    router,
  };
}

function largest(values: Float32Array, count: number): Set<number> {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[b]! - values[a]! || a - b);
  return new Set(order.slice(0, count));
}

/** At random: Fisher and Yates. */
function firstOf(total: number, count: number, each: number, seed: number): number[][] {
  const order = Array.from({ length: total }, (_, i) => i);
  const words = new Uint32Array(4);
  for (let i = total - 1; i > 0; i--) {
    philox(i, seed, words);
    const j = words[0]! % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return Array.from({ length: count }, (_, e) => order.slice(e * each, (e + 1) * each).sort((a, b) => a - b));
}

/** Mean directions of the members, of length 1: `[experts, width]`. */
function centresOf(features: Tensor, assigned: readonly number[][]): Tensor {
  return scope(() => {
    const [count, each, width] = [assigned.length, assigned[0]!.length, features.shape[1]!];
    const mean = features.indexSelect(0, assigned.flat()).reshape(count, each, width).mean(1);
    return mean.div(mean.pow(2).sum(1).add(1e-12).pow(0.5).unsqueeze(1));
  });
}

/** Pairs from the most alike down, each neuron to the first expert that has room. */
function balanced(like: Float32Array, total: number, count: number, each: number): number[][] {
  const pairs = Array.from(like, (_, i) => i).sort((a, b) => like[b]! - like[a]! || a - b);
  const lists: number[][] = Array.from({ length: count }, () => []);
  const taken = new Uint8Array(total);
  for (const pair of pairs) {
    const [neuron, expert] = [Math.floor(pair / count), pair % count];
    if (taken[neuron] || lists[expert]!.length === each) continue;
    taken[neuron] = 1;
    lists[expert]!.push(neuron);
  }
  return lists.map((list) => list.sort((a, b) => a - b));
}
