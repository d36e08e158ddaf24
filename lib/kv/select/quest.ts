// Quest (Tang et al. 2024, arXiv 2406.10774): nothing is evicted, but a query reads only the pages that may hold its largest
// scores, by the least and the most of each channel of a page's keys. Native attention chooses them, for every token anew.

import { LensorError } from "../../errors.ts";
import { checkNumber } from "../../options.ts";
import { boundBytes } from "../bytes.ts";
import { PAGE } from "../encode/size.ts";
import type { Method, Room, Source } from "../method.ts";
import { checkRatio, optionsOf } from "./selection.ts";

export interface QuestOptions {
  /** Bytes that a token reads before / after. */
  ratio?: number;
  /** In place of a ratio: how many full pages of 64 keys a query reads of each head. */
  pages?: number;
}

/**
 * Quest (Tang et al. 2024, arXiv 2406.10774): nothing is evicted, but a query reads only the pages that may hold its largest
 * scores, by the least and the most of each channel of a page's keys.
 *
 * Frees nothing: its `ratio` counts the bytes that one token reads, bounds included, and real bytes grow by a sixty-fourth.
 * Tokens that come later are always read.
 */
export function quest(given?: QuestOptions): Method {
  const { options, ratio } = optionsOf<{ pages: number | undefined }>("quest", given, { pages: undefined });
  const { pages } = options;
  if (pages !== undefined) checkNumber("quest", "pages", pages, { least: 1, whole: true });
  if (pages !== undefined && ratio !== undefined)
    throw new LensorError("quest: pages and ratio say the same", { expected: "one of the two" });
  return {
    name: "quest",
    options: { ...options },
    // With pages alone nothing says how many bytes there are to read: what is freed is nothing.
    ratio: checkRatio("quest", pages === undefined ? ratio : 1),
    at: (ratio) => quest({ ratio }),
    plan: async (source, room) => {
      const reads = pages ?? pagesWithin(source, room);
      return reads === undefined ? {} : { reads };
    },
  };
}

/** How many full pages of each head there is room to read; undefined: all. @throws LensorError where not one */
function pagesWithin(source: Source, room: Room): number | undefined {
  const most = room.keys(false);
  const key = room.bytes / most;
  const full: number[] = [];
  let rest = 0;
  for (let layer = 0; layer < source.layers; layer++) {
    const stored = source.layer(layer);
    for (const count of stored.counts) {
      full.push(Math.floor(count / PAGE));
      rest += (count % PAGE) * key + Math.floor(count / PAGE) * boundBytes(source.headWidth);
    }
    for (const one of [stored.keys, stored.values, stored.bias]) one?.dispose();
  }
  const read = (pages: number) => full.reduce((sum, own) => sum + Math.min(own, pages) * PAGE * key, rest);
  const all = Math.max(...full);
  if (room.ratio === 1 || all === 0) return undefined;
  let pages = 0;
  while (pages < all && read(pages + 1) <= room.bytes) pages++;
  if (pages > 0) return pages < all ? pages : undefined;
  throw new LensorError(`quest: at ${room.ratio}x there is not one page to read`, {
    expected: `a ratio of at most ${Math.floor((room.bytes * room.ratio) / read(1))}: pages have ${PAGE} keys, and the bounds of all are read`,
    fix: "Ask for a lower ratio, or use it on a longer text.",
  });
}
