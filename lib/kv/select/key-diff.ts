// KeyDiff (Park et al. 2025, arXiv 2504.15364): keys that point where the others of their head do not.

import { type Tensor, tensor } from "../../tensor/index.ts";
import { optionsOf, Selection } from "./selection.ts";
import { headsOf } from "./values.ts";

/**
 * KeyDiff (Park et al. 2025, arXiv 2504.15364): keeps keys that point where the others of their head do not.
 *
 * score_j = -cos(k_j, mean_i k_i / ||k_i||). Looks at no query.
 */
export function keyDiff(given?: { ratio?: number }): Selection {
  const { options, ratio } = optionsOf("keyDiff", given, {});
  return new Selection(
    {
      ...{ name: "keyDiff", options },
      score: ({ keys, counts }) => headsOf(counts, () => distances(keys, counts)),
    },
    { ratio },
  );
}

function distances(keys: Tensor, counts: readonly number[]): Tensor {
  // Behind a head's last key there are zeros, which add nothing.
  const held = tensor([...counts], { shape: [counts.length, 1, 1] });
  const anchor = directions(keys).sum(1, { keepdim: true }).div(held);
  return directions(keys).mul(directions(anchor)).sum(-1).neg();
}

function directions(rows: Tensor): Tensor {
  return rows.div(rows.mul(rows).sum(-1, { keepdim: true }).sqrt().maximum(1e-8));
}
