// Whether the texts of a calibration are texts to the model. What it has never seen makes activations that it will never have
// again: the result fits these, and is worse on all others.

import type { Model } from "../model/model.ts";
import { lastHidden, type Packed } from "../model/network.ts";
import { FrozenWeights } from "../model/weights.ts";
import { formatValue } from "../plot/format.ts";
import { linearLogprobs } from "../tensor/nn/loss.ts";
import { upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";

/** In tokens: enough to tell text from noise, a small part of a walk. */
const LOOKED_AT = 512;
const OF_EACH = 128;

/** exp of the mean -ln p of next tokens, on the beginnings of the first texts. */
export async function perplexityOf(model: Model, packs: readonly Packed[]): Promise<number> {
  const beginnings: Packed & { ids: number[]; offsets: number[] } = { ids: [], offsets: [0] };
  for (const { ids, offsets } of packs)
    for (let i = 0; i + 1 < offsets.length && beginnings.ids.length < LOOKED_AT; i++) {
      beginnings.ids.push(...ids.slice(offsets[i]!, Math.min(offsets[i + 1]!, offsets[i]! + OF_EACH)));
      beginnings.offsets.push(beginnings.ids.length);
    }
  const { ids, offsets } = beginnings;
  const next = ids.map((_, t) => (offsets.includes(t + 1) ? -100 : ids[t + 1]!));
  const total = noGrad(() =>
    scope(() => {
      // Weights of its own: a model keeps the gains that it has read once, and these may be changed yet.
      const weights = new FrozenWeights(model);
      const rows = lastHidden(model.config, weights, beginnings, "f32");
      const targets = upload(BigInt64Array.from(next, BigInt), [next.length], "i64", "targets");
      return linearLogprobs(rows, weights.head, targets).sum();
    }),
  );
  try {
    return Math.exp(-Number(await total.item()) / next.filter((id) => id !== -100).length);
  } finally {
    total.dispose();
  }
}

/**
 * Warns where the model is, in nats, more than half as unsure as if it guessed among all its tokens (perplexity above the root
 * of the vocabulary), and where it knows nearly every next token: such texts repeat themselves.
 */
export function warnOfStrange(call: string, model: Model, perplexity: number): void {
  const most = Math.sqrt(model.config.vocabulary);
  if (perplexity > most)
    console.warn(
      `${call}: the calibration texts are far from what ${model.name} knows: its perplexity on them is ${formatValue(perplexity)}, of text it is below ${formatValue(most)}. Take texts like those that it is to read.`,
    );
  else if (perplexity < 1.1)
    console.warn(
      `${call}: the calibration texts say little: ${model.name} knows nearly every next token (perplexity ${formatValue(perplexity)}). Take texts that do not repeat themselves.`,
    );
}
