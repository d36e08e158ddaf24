// The three kinds of parts that can be left out whole, and how their worth is told: neurons and heads by the energy that they
// add to the stream on the texts, blocks by how little they turn it.

import type { Compression, Work } from "../compress/method.ts";
import { LensorError } from "../errors.ts";
import { unpacked } from "../model/weights.ts";
import { checkNames, checkNumber } from "../options.ts";
import { eye } from "../tensor/create.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { diagonalOf } from "./hessian.ts";
import { structured } from "./structured.ts";

/** Neurons that are left are a multiple of this: the block of the packed types. */
const TOGETHER = 32;

/**
 * Leaves out the neurons that add least: neuron j puts E[h(j)^2] ||W_down(:, j)||^2 into the stream, h what enters W_down. Each
 * block loses the same number.
 * @param options `share`: of the neurons, rounded to a multiple of 32 that stay
 */
export function pruneNeurons(options: { share?: number } = {}): Compression {
  const call = "pruneNeurons";
  checkNames(call, options, ["share"]);
  const { share = 0.25 } = options;
  checkNumber(call, "share", share, { least: 0, most: 0.99 });
  return structured(call, { share }, undefined, async (work) => {
    const { feedForward } = work.model.config;
    const unit = feedForward >= 2 * TOGETHER ? TOGETHER : 1;
    const count = Math.max(unit, Math.round(((1 - share) * feedForward) / unit) * unit);
    const best = await bestOf(work, "ffn_down", Math.min(count, feedForward), (weight, hessian) =>
      weight.mul(weight).sum(0).mul(diagonalOf(hessian)),
    );
    return {
      config: { feedForward: best[0]!.length },
      part: (name) => {
        const [layer, part] = placeOf(name);
        if (part === "ffn_gate" || part === "ffn_up") return { name, rows: best[layer] };
        return part === "ffn_down" ? { name, columns: best[layer] } : { name };
      },
    };
  });
}

/**
 * Leaves out key-value heads with their query heads: those whose part of W_o's output has the least energy,
 * tr(W_o(:, g) H(g, g) W_o(:, g)^T). Each block loses the same number.
 * @param options `share`: of the key-value heads, rounded; at least one stays
 */
export function pruneHeads(options: { share?: number } = {}): Compression {
  const call = "pruneHeads";
  checkNames(call, options, ["share"]);
  const { share = 0.25 } = options;
  checkNumber(call, "share", share, { least: 0, most: 0.99 });
  return structured(call, { share }, undefined, async (work) => {
    const { heads, kvHeads, headWidth } = work.model.config;
    const group = heads / kvHeads;
    const wide = group * headWidth;
    const count = Math.max(1, Math.round((1 - share) * kvHeads));
    const best = await bestOf(work, "attn_output", count, (weight, hessian) => {
      // Each head's own block of the trace.
      const product = weight.T.matmul(weight).mul(hessian);
      return product.reshape(kvHeads, wide, kvHeads, wide).sum([1, 3]).mul(eye(kvHeads)).sum(1);
    });
    const rows = (chosen: readonly number[], size: number) =>
      chosen.flatMap((head) => Array.from({ length: size }, (_, i) => head * size + i));
    return {
      config: { heads: count * group, kvHeads: count },
      part: (name) => {
        const [layer, part] = placeOf(name);
        if (part === "attn_q") return { name, rows: rows(best[layer]!, wide) };
        if (part === "attn_k" || part === "attn_v") return { name, rows: rows(best[layer]!, headWidth) };
        return part === "attn_output" ? { name, columns: rows(best[layer]!, wide) } : { name };
      },
    };
  });
}

/**
 * Leaves out blocks that follow each other: those across which the stream turns least, by the mean angle arccos(x y / |x||y|) / pi
 * between what enters the first and what leaves the last, at the texts' last tokens (Gromov et al. 2024, arXiv 2403.17887). The
 * last block always stays.
 * @param options `count`: of the blocks that go
 */
export function pruneLayers(options: { count?: number } = {}): Compression {
  const call = "pruneLayers";
  checkNames(call, options, ["count"]);
  const { count = 1 } = options;
  checkNumber(call, "count", count, { least: 1, whole: true });
  return structured(
    ...([call, { count }] as const),
    (verb, _, { config }) => {
      if (count < config.layers - 1) return;
      throw new LensorError(`${verb}: ${config.name} has not so many blocks to lose`, {
        expected: `a count up to ${config.layers - 2}, of ${config.layers} blocks`,
        got: String(count),
      });
    },
    async (work) => {
      const { layers } = work.model.config;
      const streams: Float32Array[] = [];
      await work.calibrate(async ({ ends }) => {
        if (ends) streams.push((await ends.data()) as Float32Array);
        return undefined;
      });
      const { width } = work.model.config;
      const angles = Array.from({ length: layers - count }, (_, l) =>
        angleOf(streams[l]!, streams[l + count]!, width),
      );
      const first = angles.indexOf(Math.min(...angles));
      return {
        config: { layers: layers - count },
        part: (name) => {
          const [layer] = placeOf(name);
          return { name: layer < first ? name : name.replace(/^blk\.\d+/, `blk.${layer + count}`) };
        },
      };
    },
  );
}

/** Mean angle of rows, in half turns. */
export function angleOf(a: Float32Array, b: Float32Array, width: number): number {
  let sum = 0;
  const rows = a.length / width;
  for (let row = 0; row < rows; row++) {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = row * width; i < (row + 1) * width; i++) {
      ab += a[i]! * b[i]!;
      aa += a[i]! * a[i]!;
      bb += b[i]! * b[i]!;
    }
    sum += Math.acos(Math.min(1, Math.max(-1, ab / Math.sqrt(aa * bb)))) / Math.PI;
  }
  return sum / rows;
}

/** In each block the `count` parts that are worth most, ascending. */
async function bestOf(
  work: Work,
  part: string,
  count: number,
  worth: (weight: Tensor, hessian: Tensor) => Tensor,
): Promise<number[][]> {
  const best: number[][] = [];
  await work.calibrate(async ({ names, hessian }) => {
    const name = names[0]!;
    if (placeOf(name)[1] !== part) return undefined;
    const found = noGrad(() => scope(() => worth(unpacked(work.model, name), hessian)));
    const values = (await found.data()) as Float32Array;
    found.dispose();
    const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]!);
    best.push(order.slice(0, count).sort((a, b) => a - b));
    return undefined;
  });
  return best;
}

/** "blk.3.attn_q.weight" as 3 and "attn_q"; no block's tensor is in block -1. */
function placeOf(name: string): [layer: number, part: string] {
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  return [layer === undefined ? -1 : Number(layer), part ?? ""];
}
