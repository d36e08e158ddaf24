// Key norms (Devoto et al. 2024, arXiv 2406.11430): keys of a small norm are those that get much attention.

import { optionsOf, Selection } from "./selection.ts";
import { headsOf } from "./values.ts";

/**
 * Key norms (Devoto et al. 2024, arXiv 2406.11430): keeps keys of a small norm, which get much attention.
 *
 * score_j = -||k_j||. Looks at no query.
 */
export function knorm(given?: { ratio?: number }): Selection {
  const { options, ratio } = optionsOf("knorm", given, {});
  return new Selection(
    {
      ...{ name: "knorm", options },
      score: ({ keys, counts }) => headsOf(counts, () => keys.mul(keys).sum(-1).sqrt().neg()),
    },
    { ratio },
  );
}
