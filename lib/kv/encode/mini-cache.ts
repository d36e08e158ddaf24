// Sharing across layers (after MiniCache, Liu et al. 2024, arXiv 2405.14366): heads of two neighbouring layers hold the same
// directions, a spherical mean of both, and the length of each key for themselves. MiniCache merges the whole deeper half and
// keeps tokens apart whose directions differ; here the heads are chosen whose keys, or values, lose least by it.

import { LensorError } from "../../errors.ts";
import { checkNumber } from "../../options.ts";
import { scope, type Tensor, tensor } from "../../tensor/index.ts";
import type { Encoding, HeadEncoding, LayerSource, Method, Plan, Room, Source } from "../method.ts";
import { checkRatio, optionsOf, withLayer } from "../select/selection.ts";
import { allocate } from "./allocate.ts";
import { type Numbers, numbersOf, PAGE, sideBytes } from "./size.ts";

export interface MiniCacheOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** The first layer that may be merged; half way up by default. */
  from?: number;
  /** How near the mean lies to the deeper layer, from 0 to 1: 0.6. */
  t?: number;
}

type Side = "keys" | "values";
const SIDES: readonly Side[] = ["keys", "values"];

/**
 * Sharing across layers (after MiniCache, Liu et al. 2024, arXiv 2405.14366): heads of two neighbouring layers hold the same
 * directions, a spherical mean of both, and the length of each key for themselves.
 *
 * With u and w the unit vectors of a key in the two layers, and an angle a between them,
 *   e = (sin((1 - t) a) u + sin(t a) w) / sin a;   k1 = |k1| e,   k2 = |k2| e
 */
export function miniCache(given: MiniCacheOptions = {}): Method {
  const defaults = { from: undefined as number | undefined, t: 0.6 };
  const { options, ratio } = optionsOf("miniCache", given, defaults);
  if (options.from !== undefined) checkNumber("miniCache", "from", options.from, { least: 0, whole: true });
  checkNumber("miniCache", "t", options.t, { least: 0, most: 1 });
  return {
    ...{ name: "miniCache", ratio: checkRatio("miniCache", ratio), options },
    at: (ratio) => miniCache({ ...given, ratio }),
    plan: (source, room) => plan(source, room, options),
  };
}

/** A head of two layers, the lower one and the one above it. */
interface Pair {
  readonly layer: number;
  readonly head: number;
  readonly side: Side;
  readonly count: number;
  readonly lengths: readonly [Float32Array, Float32Array];
  /** What each direction takes of either, `[count]`. */
  readonly weights: readonly [Float32Array, Float32Array];
  /** Of both heads, over their squared lengths. */
  readonly error: number;
}

async function plan(
  source: Source,
  room: Room,
  { from = Math.ceil(source.layers / 2), t }: { from: number | undefined; t: number },
): Promise<Plan> {
  const pairs: Pair[] = [];
  let others = 0;
  const numbers = numbersOf(room, source.headWidth);
  const own = (count: number, side: Side) => sideBytes(count, 0, undefined, side === "values", numbers);
  for (let layer = 0; layer < source.layers; layer++) {
    await withLayer(source, layer, async (lower) => {
      const alone = (stored: LayerSource, heads: readonly number[]) => {
        for (const head of heads) for (const side of SIDES) others += own(stored.counts[head]!, side);
      };
      const all = lower.counts.map((_, head) => head);
      if (layer < from || layer + 1 >= source.layers) return alone(lower, all);
      await withLayer(source, layer + 1, async (upper) => {
        const same = all.filter((head) => isSame(lower.positions[head]!, upper.positions[head]!));
        const apart = all.filter((head) => !same.includes(head));
        for (const stored of [lower, upper]) alone(stored, apart);
        for (const side of SIDES) pairs.push(...(await pairsOf(lower, upper, side, same, t)));
      });
      layer++;
    });
    source.progress((layer + 1) / source.layers);
  }
  const chosen = chosenOf(source, room, pairs, others, own, numbers);
  const encodings: { keys?: Encoding; values?: Encoding }[][] = Array.from({ length: source.layers }, () =>
    Array.from({ length: source.kvHeads }, () => ({})),
  );
  for (const pair of chosen) {
    const { layer, head, side, lengths } = pair;
    const directions = await directionsOf(source, pair);
    encodings[layer]![head]![side] = { kind: "shared", lengths: lengths[0], directions };
    encodings[layer + 1]![head]![side] = { kind: "shared", lengths: lengths[1], of: layer };
  }
  const shared = encodings.map((heads) => heads.map((one) => SIDES.filter((side) => one[side]).length));
  return { encodings: encodings as HeadEncoding[][], notes: { shared } };
}

const isSame = (a: Int32Array, b: Int32Array) => a.length === b.length && a.every((at, i) => at === b[i]);

async function pairsOf(
  lower: LayerSource,
  upper: LayerSource,
  side: Side,
  heads: readonly number[],
  t: number,
): Promise<Pair[]> {
  const [a, b] = [lower[side], upper[side]];
  // Behind the shorter heads' keys nothing is looked at.
  const T = Math.min(a.shape[1]!, b.shape[1]!);
  const sums = scope(() => {
    const [x, y] = [a.at(null, [0, T]), b.at(null, [0, T])];
    return tensor.stack([x.mul(x).sum(-1), y.mul(y).sum(-1), x.mul(y).sum(-1)]);
  });
  const data = (await sums.data()) as Float32Array;
  sums.dispose();
  const kvHeads = a.shape[0]!;
  return heads.map((head) => {
    const count = lower.counts[head]!;
    const row = (which: number) =>
      data.subarray((which * kvHeads + head) * T, (which * kvHeads + head) * T + count);
    const [xx, yy, xy] = [row(0), row(1), row(2)];
    const lengths = [xx, yy].map((squares) => squares.map(Math.sqrt)) as [Float32Array, Float32Array];
    const weights: [Float32Array, Float32Array] = [new Float32Array(count), new Float32Array(count)];
    let [lost, all] = [0, 0];
    for (let j = 0; j < count; j++) {
      const [n, m] = [lengths[0][j]!, lengths[1][j]!];
      const cosine = n > 0 && m > 0 ? Math.min(1, Math.max(-1, xy[j]! / n / m)) : 1;
      const angle = Math.acos(cosine);
      const sine = Math.sin(angle);
      // Nearly the same, or opposite, directions have no arc between them: one of the two does.
      const [p, q] = sine < 1e-4 ? [0, 1] : [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
      weights[0][j] = n > 0 ? p / n : 0;
      weights[1][j] = m > 0 ? q / m : 0;
      lost += 2 * n * n * (1 - p - q * cosine) + 2 * m * m * (1 - q - p * cosine);
      all += n * n + m * m;
    }
    return { layer: lower.layer, head, side, count, lengths, weights, error: all > 0 ? lost / all : 0 };
  });
}

/** Which pairs are merged, so that the rest fits. */
function chosenOf(
  source: Source,
  room: Room,
  pairs: readonly Pair[],
  others: number,
  own: (count: number, side: Side) => number,
  numbers: Numbers,
): Pair[] {
  const options = pairs.map(({ count, side, error }) => {
    const directions = sideBytes(
      count,
      0,
      { kind: "channels", count: source.headWidth },
      side === "values",
      numbers,
    );
    // The lengths of both, and what says that all channels are there.
    const beside = 2 * Math.ceil(count / PAGE) * PAGE * 4 + source.headWidth * 4;
    return [
      { bytes: directions + beside, error },
      { bytes: 2 * own(count, side), error: 0 },
    ];
  });
  const chosen = allocate(options, room.bytes - others);
  if (chosen) return pairs.filter((_, i) => chosen[i] === 0);
  const least = options.reduce((sum, [merged]) => sum + merged!.bytes, others);
  throw new LensorError(
    `miniCache: merging every pair of layers does not make the cache ${room.ratio} times as small`,
    {
      expected: `a ratio of at most ${((room.bytes * room.ratio) / least).toFixed(2)}`,
      got: String(room.ratio),
      fix: "Let it begin lower, as miniCache({ from: 0 }), or another method go first: pipe(snapKV({ ratio: 4 }), kvQuant()).",
    },
  );
}

/** f32 `[count, d]` */
async function directionsOf(source: Source, { layer, head, side, count, weights }: Pair): Promise<Tensor> {
  return withLayer(source, layer, (lower) =>
    withLayer(source, layer + 1, async (upper) =>
      scope(() => {
        const parts = [lower, upper].map((stored, i) =>
          stored[side].at(head, [0, count]).mul(tensor(weights[i]!, { shape: [count, 1] })),
        );
        return parts[0]!.add(parts[1]!);
      }),
    ),
  );
}
