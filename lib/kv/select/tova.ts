// TOVA (Oren et al. 2024, arXiv 2401.06104): what the last token attends to, over all heads of a layer together.

import { optionsOf, Selection } from "./selection.ts";
import { checkWindow } from "./snap-kv.ts";
import { groupReceived } from "./values.ts";

/**
 * TOVA (Oren et al. 2024, arXiv 2401.06104): keeps what the last token attends to, over all heads of a layer together.
 *
 * score_j = mean over all query heads of A_Tj; the last token itself stays.
 */
export function tova(given?: { ratio?: number }): Selection {
  const { options, ratio } = optionsOf("tova", given, {});
  return new Selection(
    {
      ...{ name: "tova", options, recent: 1 },
      queries: (source) => {
        checkWindow("tova", 1, source);
        return { of: "last", count: 1 };
      },
      score: async (stored, source, seen) => {
        const all = await groupReceived(source, stored, seen!);
        // By the tokens' positions: heads of a cache that was made smaller before hold different ones.
        const mean = new Float64Array(source.length);
        for (const [h, scores] of all.entries())
          stored.positions[h]!.forEach((position, j) => {
            mean[position]! += scores[j]! / all.length;
          });
        return stored.positions.map((held) => Float32Array.from(held, (position) => mean[position]!));
      },
    },
    { ratio },
  );
}
