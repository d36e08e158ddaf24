// D2O (Wan et al. 2024, arXiv 2406.13035), what it does with tokens: a key that goes is merged, with its value, into the nearest
// that stays where it is near enough, and dropped where not.

import { checkNumber } from "../../options.ts";
import type { HeadPlan, LayerSource, Method } from "../method.ts";
import { h2o } from "./h2o.ts";
import { eachHead, scorerOf } from "./merging.ts";
import { keptRows, nearestKept, rowsOfHead, rowsTensor } from "./nearest.ts";
import { optionsOf, type Selection } from "./selection.ts";

export interface D2OOptions {
  /** Bytes before / bytes after; that of the method it is given, unless said here. */
  ratio?: number;
  /** Cosine of two keys from which on they are merged; the mean over a head's evicted keys unless said. */
  threshold?: number | undefined;
}

/**
 * D2O (Wan et al. 2024, arXiv 2406.13035): a key that goes is merged, with its value, into the nearest that stays where it
 * is near enough, and dropped where not.
 *
 * k_c <- (e k_c + sum_e exp(u_e) k_e) / (e + sum_e exp(u_e)), and the value likewise, with u_e = cos(k_e, k_c) at or above the
 * threshold, over the keys e that go and are nearest to c. @param of h2o() by default
 */
export function d2o(of: Method = h2o(), given?: D2OOptions): Selection {
  const scored = scorerOf("d2o", of);
  const { options, ratio = of.ratio } = optionsOf<{ threshold: number | undefined }>("d2o", given, {
    threshold: undefined,
  });
  const { threshold } = options;
  if (threshold !== undefined) checkNumber("d2o", "threshold", threshold, { least: -1, most: 1 });
  return scored.with({
    ...{ name: "d2o", ratio, options: { ...options, of: of.name, ...of.options } },
    finish: eachHead((stored, head, plan) => blended(stored, head, plan, threshold)),
  });
}

async function blended(
  stored: LayerSource,
  head: number,
  { keep }: HeadPlan,
  threshold: number | undefined,
): Promise<Partial<HeadPlan>> {
  const rows = await rowsOfHead(stored, head, keep);
  const { width, gone } = rows;
  const { target, cosine } = await nearestKept(rows, keep, 1e-8);
  const bar = threshold ?? cosine.reduce((sum, x) => sum + x, 0) / Math.max(1, cosine.length);
  const total = new Float64Array(keep.length).fill(Math.E);
  const blend = (all: Float32Array) => {
    const sums = Float64Array.from(keptRows(all, width, keep), (x) => x * Math.E);
    gone.forEach((e, i) => {
      if (cosine[i]! < bar) return;
      const weight = Math.exp(cosine[i]!);
      for (let x = 0; x < width; x++) sums[target[i]! * width + x]! += weight * all[e * width + x]!;
    });
    return rowsTensor(
      Float32Array.from(sums, (sum, i) => sum / total[Math.floor(i / width)]!),
      width,
    );
  };
  for (const [i, u] of cosine.entries()) if (u >= bar) total[target[i]!]! += Math.exp(u);
  return { keys: blend(rows.keys), values: blend(rows.values) };
}
