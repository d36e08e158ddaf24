// One figure of each builder that looks into a model, on constructed weights.

import type { PlotlySpec } from "../../../lib/index.ts";
import { attentionCostFigure } from "../../../lib/plot/attention-cost.ts";
import { entropyGrid, entropyRows } from "../../../lib/plot/attention-entropy.ts";
import { attentionHeads } from "../../../lib/plot/attention-heads.ts";
import { attentionLayers } from "../../../lib/plot/attention-layers.ts";
import { attentionLines } from "../../../lib/plot/attention-lines.ts";
import { attentionMap } from "../../../lib/plot/attention-map.ts";
import { attentionPair } from "../../../lib/plot/attention-pair.ts";
import { attentionToken } from "../../../lib/plot/attention-token.ts";
import { headGrid } from "../../../lib/plot/head-grid.ts";
import { keyMass } from "../../../lib/plot/key-mass.ts";
import { logitLens } from "../../../lib/plot/logit-lens.ts";
import { patchGrid } from "../../../lib/plot/patch-grid.ts";
import { about, floats, from, HOSTILE, random, T, tokens } from "./constructed.ts";

/** Each query's weights, of one head or several, over what it can see. */
function weights(heads: number): Float32Array {
  const out = new Float32Array(heads * T * T);
  for (let h = 0; h < heads; h++)
    for (let q = 0; q < T; q++) {
      const row = from(q + 1, (k) => random(h * 97 + q * 13 + k) ** 3);
      const sum = row.reduce((a, b) => a + b, 0);
      for (let k = 0; k <= q; k++) out[(h * T + q) * T + k] = row[k]! / sum;
    }
  return out;
}

export const looking: Readonly<Record<string, () => PlotlySpec>> = {
  "attention map": () => attentionMap({ weights: weights(1), tokens, layer: 1, head: 2, ...about }),
  "attention heads": () => attentionHeads({ weights: weights(9), heads: 9, tokens, layer: 1, ...about }),
  "attention layers": () =>
    attentionLayers({ weights: () => weights(4), layers: 6, heads: 4, tokens, ...about }),
  "attention lines": () =>
    attentionLines({
      layers: [3, 4].map((layer) => ({
        layer,
        heads: from(3, (h) => weights(3).slice(h * T * T, (h + 1) * T * T)),
      })),
      ...{ from: 0, to: T, sink: true, least: 0.1, tokens, ...about },
    }),
  "attention pair": () =>
    attentionPair({
      ...{ first: weights(1), second: weights(2).slice(T * T), left: "one", right: HOSTILE },
      ...{ layer: 1, head: 2, tokens: [tokens, tokens], model: "m" },
    }),
  "attention token": () =>
    attentionToken({
      ...{ weights: floats(6 * 4 * T), layers: 6, heads: 4, position: T - 1, head: "mean", tokens, ...about },
    }),
  "attention cost": () =>
    attentionCostFigure({
      rows: ["naive", "flash", "window", "linear"].flatMap((method, i) =>
        [256, 1024, 4096].map((length) => ({
          ...{ method, length, seconds: (length ** (i < 2 ? 2 : 1) * 1e-8) / (i + 1) },
          bytes: length ** (i ? 1 : 2) * 36,
        })),
      ),
      ...{ heads: 9, headWidth: 64, window: 256, threads: 2, isa: "avx2" },
    }),
  "entropy of all heads": () => entropyGrid({ means: floats(24), layers: 6, heads: 4, tokens, ...about }),
  "entropy of a layer": () =>
    entropyRows({ entropy: floats(4 * T), heads: 4, layer: 2, queries: [0, T], tokens, ...about }),
  "head grid": () =>
    headGrid({
      ...{ values: floats(24).map((x) => x - 0.5), layers: 6, heads: 4, title: HOSTILE, subtitle: "s" },
      ...{ bar: "score", signed: true },
    }),
  "key mass": () => keyMass({ mass: floats(3 * T), heads: 3, tokens, layer: 1, ...about }),
  "logit lens": () =>
    logitLens({
      ...{ tokens: tokens.slice(0, 5), layers: 4, ...about },
      top: from(4, (l) =>
        from(5, (i) => [{ token: tokens[(l + i) % 5]!, id: i, probability: random(l + i) }]),
      ),
    }),
  "patch grid": () =>
    patchGrid({
      ...{ restored: floats(6 * T), layers: 6, clean: tokens, corrupted: [...tokens].reverse() },
      ...{ place: "stream", effect: HOSTILE, best: 2, worst: -1, model: "m" },
    }),
};
