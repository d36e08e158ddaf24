// ThinK (Xu et al. 2024, arXiv 2407.21018): channels of keys that queries hardly meet are dropped. Values stay as they are, so it
// makes a cache less than twice as small.

import { LensorError } from "../../errors.ts";
import { checkNumber } from "../../options.ts";
import { scope } from "../../tensor/index.ts";
import type { HeadEncoding, Method, Plan, Room, Source } from "../method.ts";
import { checkRatio, optionsOf, withLayer } from "../select/selection.ts";
import { checkWindow } from "../select/snap-kv.ts";
import { numbersOf, sideBytes } from "./size.ts";

export interface ThinKOptions {
  /** Bytes before / bytes after, below 2. */
  ratio?: number;
  /** How many of the last tokens' queries look: 32. */
  window?: number;
  /** In tokens: at least so many of the last keep all channels. */
  recent?: number;
}

/**
 * ThinK (Xu et al. 2024, arXiv 2407.21018): channels of keys that queries hardly meet are dropped. Values stay, so a cache
 * becomes less than twice as small.
 *
 * score_c = mean q_c^2 * mean k_c^2, over the queries of a window and the heads of the group, and over the keys.
 */
export function thinK(given?: ThinKOptions): Method {
  const { options, ratio } = optionsOf("thinK", given, { window: 32, recent: 0 });
  checkNumber("thinK", "window", options.window, { least: 1, whole: true });
  checkNumber("thinK", "recent", options.recent, { least: 0, whole: true });
  return {
    ...{ name: "thinK", ratio: checkRatio("thinK", ratio), options },
    at: (ratio) => thinK({ ...given, ratio }),
    plan: (source, room) => plan(source, room, options),
  };
}

async function plan(
  source: Source,
  room: Room,
  { window, recent }: { window: number; recent: number },
): Promise<Plan> {
  checkWindow("thinK", window, source);
  const scores: Float32Array[][] = [];
  const counts: number[] = [];
  await source.observe({ of: "last", count: window }, async ({ layer, queries }) => {
    await withLayer(source, layer, async ({ keys, counts: held }) => {
      const [kvHeads, T, d] = keys.shape as [number, number, number];
      const worth = scope(() => {
        const q = queries.mul(queries).mean(1).reshape(kvHeads, -1, d).mean(1);
        // Behind a head's last key stand zeros: the mean over its own differs by a factor that orders nothing anew.
        return q.mul(keys.mul(keys).sum(1)).mul(1 / T);
      });
      const all = (await worth.data()) as Float32Array;
      worth.dispose();
      scores.push(held.map((_, head) => all.slice(head * d, (head + 1) * d)));
      counts.push(...held);
    });
    source.progress((layer + 1) / source.layers);
    return undefined;
  });
  const channels = channelsFor(source, room, counts, recent);
  const encodings = scores.map((heads) =>
    heads.map((worth): HeadEncoding => {
      const best = Array.from(worth.keys()).sort((a, b) => worth[b]! - worth[a]! || a - b);
      return { keys: { kind: "channels", channels: Int32Array.from(best.slice(0, channels)).sort() } };
    }),
  );
  return { encodings: channels === source.headWidth ? [] : encodings, recent };
}

/** How many channels each head may keep. */
function channelsFor(source: Source, room: Room, counts: readonly number[], recent: number): number {
  const numbers = numbersOf(room, source.headWidth);
  const of = (channels: number, count: number) =>
    sideBytes(count, recent, { kind: "channels", count: channels }, false, numbers) +
    sideBytes(count, recent, undefined, true, numbers);
  const bytes = (channels: number) => counts.reduce((sum, count) => sum + of(channels, count), 0);
  for (let channels = source.headWidth; channels > 0; channels--)
    if (bytes(channels) <= room.bytes) return channels;
  throw new LensorError(`thinK: no channel of the keys would be left at ${room.ratio}x`, {
    expected: `a ratio of at most ${((room.bytes * room.ratio) / bytes(1)).toFixed(2)}: values stay as they are`,
    got: String(room.ratio),
    fix: "Let another method go first: pipe(snapKV({ ratio: 4 }), thinK({ ratio: 1.5 })).",
  });
}
