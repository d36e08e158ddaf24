// What keys occupy, as native/llm/cache.h has it: by the type of a cache, by key and by page.

import type { Cache } from "./cache.ts";
import { PAGE } from "./encode/size.ts";

/** Of one key of one head and its value. */
export function keyBytes({ kv, model: { config } }: Cache): number {
  const size = kv === "f32" ? 4 : kv === "i8" ? 1 : 2;
  const scales = kv === "i8" ? 8 : 0;
  return (config.headWidth + Math.ceil(config.headWidth / 16) * 16) * size + scales;
}

/** What a cache holds once it has grown by so many tokens: whole pages, and the biases of the keys that were kept. */
export function bytesAfter(cache: Cache, tokens: number): number {
  const { layers } = cache.model.config;
  const page = Math.ceil((PAGE * keyBytes(cache)) / 64) * 64;
  let bytes = 0;
  for (let layer = 0; layer < layers; layer++)
    for (const [head, count] of cache.counts(layer).entries()) {
      bytes += Math.ceil((count + tokens) / PAGE) * page;
      if (cache.kept?.biased) bytes += Math.ceil((4 * cache.kept.positions[layer]![head]!.length) / 64) * 64;
    }
  return bytes;
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
