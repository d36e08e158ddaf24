// What keys occupy, as native/llm/cache.h has it: by the type of a cache, by key and by page.

import type { Cache } from "./cache.ts";
import { PAGE } from "./encode/size.ts";

/** Of one key of one head and its value. */
export function keyBytes({ kv, model: { config } }: Cache): number {
  const size = kv === "f32" ? 4 : kv === "i8" ? 1 : 2;
  const scales = kv === "i8" ? 8 : 0;
  return (config.headWidth + Math.ceil(config.headWidth / 16) * 16) * size + scales;
}

/** As the allocator rounds a block: what is larger than a page of the system takes whole ones. */
const rounded = (bytes: number) => Math.ceil(bytes / (bytes < 4096 ? 64 : 4096)) * (bytes < 4096 ? 64 : 4096);

/**
 * What a cache holds at most once it has grown by so many tokens: by what was chosen and how far it grew since, not by the blocks
 * that it has, since those tell of forks and files too. Pages that heads come to together stand in one block, as do the
 * chosen keys' first pages, second pages and so on.
 */
export function bytesAfter(cache: Cache, tokens: number): number {
  const { layers } = cache.model.config;
  const page = Math.ceil((PAGE * keyBytes(cache)) / 64) * 64;
  let [bytes, blocks] = [0, 0];
  /** Heads by how full their last page of chosen keys is: those come to their next pages together. */
  const together = new Map<number, { heads: number; pages: number }>();
  for (let layer = 0; layer < layers; layer++)
    for (const [head, count] of cache.counts(layer).entries()) {
      const chosen = cache.kept ? cache.kept.positions[layer]![head]!.length : 0;
      const pages = Math.ceil(chosen / PAGE);
      bytes += pages * page;
      blocks = Math.max(blocks, pages);
      const { heads } = together.get(chosen % PAGE) ?? { heads: 0 };
      together.set(chosen % PAGE, { heads: heads + 1, pages: Math.ceil((count + tokens) / PAGE) - pages });
      if (cache.kept?.biased) bytes += rounded(4 * chosen);
    }
  for (const { heads, pages } of together.values()) bytes += pages * rounded(heads * page);
  // Last pages were made no larger than they had to be; with the first token they become whole ones, in a block of their own.
  return bytes + (blocks > 0 ? (blocks + 1) * (rounded(page) - page) : 0);
}

/** The least and the most of each channel of a page's keys, in bf16. */
export function boundBytes(headWidth: number): number {
  return 2 * 2 * Math.ceil(headWidth / 16) * 16;
}

/** What one token's queries read of a cache: keys, values and biases, and where pages are chosen, what they are chosen by. */
export function bytesReadOf(cache: Cache): number {
  const { kept } = cache;
  const { layers, headWidth } = cache.model.config;
  let bytes = 0;
  for (let layer = 0; layer < layers; layer++)
    for (const [head, count] of cache.counts(layer).entries()) {
      const chosen = kept ? kept.positions[layer]![head]!.length : 0;
      const pages = kept?.reads === undefined ? 0 : Math.floor(chosen / PAGE);
      const unread = Math.max(0, pages - (kept?.reads ?? 0));
      bytes += (count - unread * PAGE) * keyBytes(cache) + pages * boundBytes(headWidth);
      if (kept?.biased) bytes += 4 * chosen;
    }
  return bytes;
}
