// The objective of every language model: each next token (Shannon 1951; maximum likelihood). Fine-tuning and training from
// nothing alike.

import type { Objective } from "./objective.ts";
import type { TokenBatch } from "./sequences.ts";

/** Mean cross entropy in nats of the tokens that the mask leaves, over all of a batch. */
export function nextToken({ labelSmoothing = 0 } = {}): Objective<TokenBatch> {
  return {
    name: "nextToken",
    options: { labelSmoothing },
    columns: [],
    weight: ({ ids, mask }) =>
      (mask ?? ids).reduce((sum, one) => {
        let count = 0;
        // The first token of a sequence is never predicted.
        for (let t = 1; t < one.length; t++) if (!mask || one[t]) count++;
        return sum + count;
      }, 0),
    split({ ids, mask }, parts) {
      const size = Math.max(1, Math.ceil(ids.length / parts));
      return Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => {
        const [from, to] = [i * size, (i + 1) * size];
        return { ids: ids.slice(from, to), ...(mask && { mask: mask.slice(from, to) }) };
      });
    },
    loss: (learner, { ids, mask }) => ({
      loss: learner.loss(ids, { labelSmoothing, ...(mask && { mask: mask as never }) }),
    }),
  };
}
