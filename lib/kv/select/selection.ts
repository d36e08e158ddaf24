// The shape that all methods of selection share: a scorer says what each stored key is worth, a budget says how many keys each
// head may keep, and the best of each head stay as they are. Relies on lib/kv/budget.ts; which keys are worth what is not
// known here.

import { LensorError } from "../../errors.ts";
import { checkNames, checkNumber } from "../../options.ts";
import { type Budget, bestOf, type Counts, uniform } from "../budget.ts";
import type { HeadPlan, LayerSource, Method, Observed, Plan, Queries, Room, Source } from "../method.ts";

/** Worth of a key that stays before all others. */
export const STAYS = Number.POSITIVE_INFINITY;

export interface Scorer {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Which queries it looks at; none where it needs none. @throws LensorError where the text does not do */
  queries?(source: Source): Queries;
  /** What each stored key of each KV head is worth: `[kvHeads]` of `[count]`. */
  score(stored: LayerSource, source: Source, seen?: Observed): Promise<Float32Array[]>;
  /** The first tokens of the text, and the last: they stay before others. */
  readonly sinks?: number;
  readonly recent?: number;
}

/** What becomes of the kept keys where they do not stay as they are. */
export type Finish = (
  stored: LayerSource,
  kept: readonly HeadPlan[],
  scores: readonly Float32Array[],
  source: Source,
) => Promise<readonly HeadPlan[]>;

interface Parts {
  /** The scorer's, unless said otherwise. */
  name?: string;
  options?: Readonly<Record<string, unknown>>;
  ratio: number | undefined;
  budget?: Budget;
  /** Which of a head's keys stay, by their scores; the best ones unless said otherwise. */
  choose?: (scores: Float32Array, count: number) => Int32Array;
  finish?: Finish;
}

export class Selection implements Method {
  readonly name: string;
  readonly ratio: number | undefined;
  readonly options: Readonly<Record<string, unknown>>;
  readonly scorer: Scorer;
  readonly #parts: Parts;

  constructor(scorer: Scorer, parts: Parts) {
    this.scorer = scorer;
    this.name = parts.name ?? scorer.name;
    this.options = parts.options ?? scorer.options;
    this.ratio = checkRatio(this.name, parts.ratio);
    this.#parts = parts;
  }

  at(ratio: number): Selection {
    return new Selection(this.scorer, { ...this.#parts, ratio });
  }

  /** The same scorer under another name, another budget or with another finish. @internal */
  with(parts: Partial<Parts>): Selection {
    return new Selection(this.scorer, { ...this.#parts, ...parts });
  }

  async plan(source: Source, room: Room): Promise<Plan> {
    const { budget = uniform, choose = bestOf, finish } = this.#parts;
    const { scorer, name } = this;
    const layers: Seen[] = [];
    await eachLayer(scorer, source, async (stored, seen) => {
      const scores = await scorer.score(stored, source, seen);
      layers.push({
        scores,
        positions: stored.positions,
        counts: stored.counts,
        bias: await biasesOf(stored),
      });
      source.progress(((stored.layer + 1) / source.layers) * (finish ? 0.5 : 1));
    });
    const held = layers.map(({ counts }) => counts);
    const keys = checkKeys(name, room, source, layers);
    const raised = (counts: Counts) =>
      layers.map((layer, l) =>
        counts[l]!.map((count, h) => protectedScores(scorer, source.length, layer, h, count)),
      );
    const even = uniform({ held, keys, scores: [] });
    const counts = budget({ held, keys, scores: raised(even) });
    const kept = raised(counts).map((heads, l) =>
      heads.map((scores, h) => keptOf(choose(scores, counts[l]![h]!), layers[l]!.bias?.[h])),
    );
    if (!finish) return { heads: kept };
    const heads: (readonly HeadPlan[])[] = [];
    for (const [layer, { scores }] of layers.entries()) {
      heads.push(await withLayer(source, layer, (stored) => finish(stored, kept[layer]!, scores, source)));
      source.progress(0.5 + (layer + 1) / source.layers / 2);
    }
    return { heads };
  }
}

/** What is kept of a layer that was looked at. */
interface Seen {
  readonly scores: readonly Float32Array[];
  readonly positions: readonly Int32Array[];
  readonly counts: readonly number[];
  readonly bias: readonly Float32Array[] | undefined;
}

/** A layer's own ways of being read: with the queries that a scorer asks for, or alone. */
async function eachLayer(
  scorer: Scorer,
  source: Source,
  visit: (stored: LayerSource, seen?: Observed) => Promise<void>,
): Promise<void> {
  if (!scorer.queries) {
    for (let layer = 0; layer < source.layers; layer++) await withLayer(source, layer, visit);
    return;
  }
  await source.observe(scorer.queries(source), async (seen) => {
    await withLayer(source, seen.layer, (stored) => visit(stored, seen));
    return undefined;
  });
}

/** Reads a layer and frees its tensors when `use` has ended. */
export async function withLayer<R>(
  source: Source,
  layer: number,
  use: (stored: LayerSource) => Promise<R>,
): Promise<R> {
  const stored = source.layer(layer);
  try {
    return await use(stored);
  } finally {
    for (const tensor of [stored.keys, stored.values, stored.bias]) tensor?.dispose();
  }
}

async function biasesOf({ bias, counts }: LayerSource): Promise<Float32Array[] | undefined> {
  if (!bias) return undefined;
  const all = (await bias.data()) as Float32Array;
  const T = bias.shape[1]!;
  return counts.map((count, h) => all.slice(h * T, h * T + count));
}

function keptOf(keep: Int32Array, bias: Float32Array | undefined): HeadPlan {
  return bias ? { keep, bias: Float32Array.from(keep, (j) => bias[j]!) } : { keep };
}

/**
 * One head's scores with its sinks and last tokens raised above all. Where a head may keep fewer than these, they take half
 * of what it may, so that some keys are still chosen by their worth.
 */
function protectedScores(
  { sinks = 0, recent = 0 }: Scorer,
  length: number,
  layer: Seen,
  head: number,
  room: number,
): Float32Array {
  const [worth, positions] = [layer.scores[head]!, layer.positions[head]!];
  if (sinks + recent === 0) return worth;
  let [first, last] = [0, 0];
  while (first < positions.length && positions[first]! < sinks) first++;
  while (last < positions.length - first && positions[positions.length - 1 - last]! >= length - recent)
    last++;
  if (first + last > room) {
    const part = room / (2 * (first + last));
    [first, last] = [Math.ceil(first * part), Math.floor(last * part)];
  }
  return Float32Array.from(worth)
    .fill(STAYS, 0, first)
    .fill(STAYS, worth.length - last);
}

function checkKeys(name: string, room: Room, source: Source, layers: readonly Seen[]): number {
  const keys = room.keys(layers.some(({ bias }) => bias !== undefined));
  const heads = source.layers * source.kvHeads;
  if (keys >= heads) return keys;
  throw new LensorError(`${name}: a ratio of ${room.ratio} leaves less than one key a head`, {
    expected: `a ratio that leaves ${heads} keys, one for each KV head of each layer`,
    got: `room for ${keys}`,
    fix: `Ask for a lower ratio: this text has ${source.length} tokens.`,
  });
}

/** @throws LensorError */
export function checkRatio(name: string, ratio: unknown): number | undefined {
  if (ratio === undefined) return undefined;
  checkNumber(name, "ratio", ratio, { least: 1 });
  return ratio as number;
}

/** Options of a constructor with their defaults, checked for names that it does not know; the ratio apart. */
export function optionsOf<T extends object>(
  name: string,
  given: (Partial<T> & { ratio?: number }) | undefined,
  defaults: T,
): { options: T; ratio: number | undefined } {
  checkNames(name, given, ["ratio", ...Object.keys(defaults)]);
  const { ratio, ...rest } = given ?? {};
  const said = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { options: { ...defaults, ...said } as T, ratio };
}
