// A cache that grows within a budget: where the next tokens would go over it, or over the context, what lies between its
// first and its last tokens is made smaller and moved together. When that happens depends on tokens alone, so the same seed
// gives the same bits.

import { LensorError } from "../errors.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import { formatBytes } from "../plot/format.ts";
import { bytesAfter } from "./bytes.ts";
import type { Cache } from "./cache.ts";
import { compacted } from "./compact.ts";
import type { Method } from "./method.ts";

export interface Online {
  /** Made without a ratio: `attentionMatching()`. It is brought to half the budget each time. */
  method: Method;
  /** What the cache holds at most. Without it, only the context is a bound. */
  bytes?: number;
  /** In tokens: so many of the first stay as they are. */
  keepFirst?: number;
  /** In tokens: so many of the last stay as they are; 256 by default. */
  keepLast?: number;
}

const LAST = 256;

export function checkOnline(call: string, online: Online): void {
  checkNames(`${call}: compact`, online, ["method", "bytes", "keepFirst", "keepLast"]);
  const { method, bytes, keepFirst, keepLast } = online;
  if (typeof method?.plan !== "function")
    throw new LensorError(`${call}: compact needs a method`, {
      expected: "{ method: attentionMatching(), bytes: 8e6 }, or another method that is made without a ratio",
      got: describe(method),
    });
  if (bytes !== undefined) checkNumber(call, "compact.bytes", bytes, { least: 1 });
  for (const [name, value] of Object.entries({ keepFirst, keepLast }))
    if (value !== undefined) checkNumber(call, `compact.${name}`, value, { least: 0, whole: true });
}

/** In tokens: how many more the cache takes, by its context and the budget. */
export function roomIn(cache: Cache, online: Online | undefined): number {
  const room = cache.context - cache.position;
  const most = online?.bytes;
  if (most === undefined) return room;
  let [fits, over] = [0, room + 1];
  while (over - fits > 1) {
    const middle = (fits + over) >> 1;
    if (bytesAfter(cache, middle) <= most) fits = middle;
    else over = middle;
  }
  return fits;
}

/** A smaller cache that goes on from the same place. The old one is freed. */
export async function shrunk(cache: Cache, online: Online, seed: number): Promise<Cache> {
  const { method, bytes, keepFirst = 0, keepLast = LAST } = online;
  const last = Math.max(0, Math.min(keepLast, cache.position - keepFirst - 1));
  const ratio = bytes === undefined ? 2 : Math.max(1, cache.bytes / (bytes / 2));
  const span = Math.max(1, Math.floor(cache.context / 2) - keepFirst - last);
  if (ratio > cache.position) throw tooSmall(bytesAfter(cache, 0) / cache.position, bytes!);
  const options = { keepFirst, keepLast: last, seed };
  const small = await compacted(cache, method.at(ratio), options, false, span);
  if (roomIn(small, online) < 1) throw tooSmall(bytesAfter(small, 1), bytes ?? 0);
  cache.dispose();
  return small;
}

function tooSmall(least: number, bytes: number): LensorError {
  return new LensorError("The budget of the cache is too small", {
    expected: `more than the ${formatBytes(least)} that its smallest pages and what is kept take`,
    got: formatBytes(bytes),
    fix: "Raise compact.bytes, or keep fewer of the first and last tokens.",
  });
}
