// How much of a head's output is lost by how many keys it keeps, for every number at once and without running the model: what
// least squares leave when keys come in the order of their scores, weighted by the head's share of what the output matrix makes
// of its layer. Layers count the same: each adds to a stream that has grown meanwhile.

import type { Model } from "../../model/model.ts";
import { unpacked } from "../../model/weights.ts";
import { bestOf } from "../budget.ts";
import type { LayerSource } from "../method.ts";
import type { ErrorCurve } from "./budgets.ts";
import { curve, type Look } from "./layer.ts";

/** Past half as many keys as queries a fit says more of the queries than of the head. */
const PART = 0.5;
/** Longest curve: it costs as its square. */
const LONGEST = 512;

/** The curves of a layer's heads but for their weight, which is asked for once the model is known. */
export async function curvesOf(
  stored: LayerSource,
  seen: Look,
  scores: readonly Float32Array[],
): Promise<(model: Model, layer: number) => Promise<ErrorCurve[]>> {
  const n = seen.queries.shape[1]!;
  const most = Math.max(1, Math.min(LONGEST, Math.floor(n * PART)));
  const picks = scores.map((worth) => {
    return bestOf(worth, most).sort((a, b) => worth[b]! - worth[a]! || a - b);
  });
  const { left, sizes } = curve(stored, seen, picks);
  const [all, whole] = (await Promise.all([left.data(), sizes.data()])) as [Float32Array, Float32Array];
  const room = left.shape[1]!;
  left.dispose();
  sizes.dispose();
  const curves = picks.map(({ length }, h) => all.slice(h * room, h * room + length));
  return async (model, layer) => {
    const norms = await outputNorms(model, layer);
    const weights = norms.map((norm, h) => norm * whole[h]!);
    const layers = weights.reduce((sum, weight) => sum + weight, 0);
    return curves.map((left, h) => ({ left, weight: layers > 0 ? weights[h]! / layers : 1 }));
  };
}

/** |W_o|^2 of each KV head's query heads, their mean. */
async function outputNorms(model: Model, layer: number): Promise<Float32Array> {
  const { heads, kvHeads, headWidth } = model.config;
  const weight = unpacked(model, `blk.${layer}.attn_output.weight`);
  const norms = weight.reshape(-1, kvHeads, (heads / kvHeads) * headWidth).pow(2);
  const sums = norms.sum([0, 2]);
  const all = (await sums.data()) as Float32Array;
  for (const one of [weight, norms, sums]) one.dispose();
  return all.map((x) => x / (heads / kvHeads));
}
