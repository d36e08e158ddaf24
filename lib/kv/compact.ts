// cache.compact: asks a method for a plan, makes the smaller cache by it, and measures what was lost. The cache it is made of
// stays as it is, also where the work ends early.

import { LensorError } from "../errors.ts";
import { type NativeCache, native } from "../native.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import { showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import { Tensor } from "../tensor/index.ts";
import { checkSeed } from "../tensor/random.ts";
import { keyBytes } from "./bytes.ts";
import { Cache, type Kept } from "./cache.ts";
import { choiceOf } from "./choice.ts";
import type { HeadPlan, Method, Plan, Room } from "./method.ts";
import { type Move, movedPlan, placeAfter } from "./move.ts";
import { between, middleOf, type Protected, widened } from "./protect.ts";
import { CompactionReport, measured } from "./report.ts";
import { disposeLayer, layerOf, sourceOf } from "./source.ts";
import type { Maker } from "./summary.ts";

export interface CompactOptions {
  /** In tokens: so many of the first stay as they are, as a chat's instructions. They count. */
  keepFirst?: number;
  /** In tokens: so many of the last stay as they are, as a chat's latest turns. They count. */
  keepLast?: number;
  /** Of what is drawn at random: which reference queries. */
  seed?: number;
  /** Ends the work; the cache stays as it was. */
  signal?: AbortSignal;
}

/** How many queries measure what was lost. */
const MEASURED = 128;

export async function compact(
  cache: Cache,
  method: Method | Maker,
  options: CompactOptions = {},
): Promise<Cache> {
  checkNames("cache.compact", options, ["keepFirst", "keepLast", "seed", "signal"]);
  if (typeof method === "object" && method !== null && "make" in method) return anew(cache, method, options);
  return compacted(cache, method, options, true);
}

/** A cache of another text that stands for this one: there are no keys of which some could stay. */
async function anew(cache: Cache, maker: Maker, options: CompactOptions): Promise<Cache> {
  const { keepFirst, keepLast, seed = 0, signal } = options;
  if (keepFirst !== undefined || keepLast !== undefined)
    throw new LensorError(`cache.compact: ${maker.name} makes a new text, of which nothing stays as it was`, {
      fix: "Leave out keepFirst and keepLast.",
    });
  if (maker.ratio === undefined) throw withoutRatio(maker.name);
  if (cache.length === 0) throw isEmpty();
  return maker.make(cache, { seed, signal });
}

/**
 * @internal
 * @param measure Whether what was lost is measured, for the report
 * @param span In tokens: kept keys between keepFirst and keepLast move together until they span no more
 */
export async function compacted(
  cache: Cache,
  method: Method,
  options: CompactOptions,
  measure: boolean,
  span?: number,
): Promise<Cache> {
  checkMethod(method);
  const { seed = 0, signal } = options;
  checkSeed(seed, "cache.compact");
  const kept = keptOf(cache, options);
  const room = roomOf(cache, method, kept);
  const progress = showProgress(`${method.name} at ${method.ratio}x`, 1, {
    amount: (done) => `${Math.round(done * 100)} of 100 parts`,
    afterMs: 500,
  });
  const began = performance.now();
  const told = (part: number) => {
    signal?.throwIfAborted();
    progress.update(part);
  };
  try {
    const whole = sourceOf(cache, seed, told);
    const source = kept ? middleOf(whole, kept) : whole;
    const plan = await method.plan(source, room);
    signal?.throwIfAborted();
    const seconds = () => (performance.now() - began) / 1000;
    const move = span !== undefined ? moveOf(cache, kept, span) : undefined;
    return await carryOut(cache, method, plan, { kept, move, seed, seconds, measure });
  } finally {
    progress.end(`${method.name} at ${method.ratio}x`);
  }
}

/** @throws LensorError where a method chose what it was not shown */
function checkPlan(cache: Cache, { name }: Method, { heads }: Plan, kept: Protected | undefined): void {
  for (const [layer, plans] of heads?.entries() ?? []) {
    const counts = kept
      ? between(cache.positions(layer), kept).map(({ count }) => count)
      : cache.counts(layer);
    for (const [head, { keep }] of plans.entries())
      for (let i = 0; i < keep.length; i++)
        if (!(keep[i]! > (i > 0 ? keep[i - 1]! : -1) && keep[i]! < counts[head]!))
          throw new LensorError(`${name} chose keys that head ${head} of layer ${layer} does not hold`, {
            expected: `ascending places below ${counts[head]}`,
            got: `${keep[i]}${i > 0 ? ` after ${keep[i - 1]}` : ""}`,
          });
  }
}

interface Terms {
  readonly kept: Protected | undefined;
  readonly move: Move | undefined;
  readonly seed: number;
  readonly seconds: () => number;
  readonly measure: boolean;
}

/** Makes the smaller cache. Its report's errors are measured now: the large one may be gone when somebody looks. */
async function carryOut(cache: Cache, method: Method, plan: Plan, terms: Terms): Promise<Cache> {
  const { move, seed } = terms;
  const { layers } = cache.model.config;
  checkPlan(cache, method, plan, terms.kept);
  const plans: (HeadPlan[] | undefined)[] = [];
  for (let layer = 0; layer < layers; layer++) {
    // What is only stored in another way is kept, all of it.
    const given = plan.heads?.[layer] ?? (plan.encodings?.[layer] && everyKey(cache, layer, terms.kept));
    plans.push(await wholePlans(cache, layer, given, terms));
  }
  const choices = plans.flatMap((heads, layer) => {
    const own = cache.positions(layer);
    if (!heads) return own.map(() => undefined);
    const parts = between(own, terms.kept ?? { from: 0, to: Number.POSITIVE_INFINITY });
    return heads.map((head, h) => {
      const { at, count } = parts[h]!;
      const last = own[h]!.length - at - count + (plan.recent ?? 0);
      const headOf = (of: number) => of * heads.length + h;
      return choiceOf(head, plan.encodings?.[layer]?.[h], { first: at, last, headOf });
    });
  });
  const next = move ? placeAfter(move, cache.position) : cache.position;
  const [chosen, done] = native().chooseKeys(cache.native(), cache.position, choices, next);
  await Tensor.fromBuffer(done, [0], "f32", "compact").data();
  const handle = plan.reads === undefined ? chosen : await readingPages(chosen, next, plan.reads);
  const seconds = terms.seconds();
  const facts: Kept = {
    length: cache.length,
    moved: cache.length - next,
    method: method.name,
    positions: plans.map((heads, layer) => {
      const own = cache.positions(layer);
      return own.map((positions, head) => {
        const keep = heads?.[head]?.keep;
        const stayed = keep ? keep.map((i) => positions[i]!) : positions;
        return move ? stayed.map((position) => placeAfter(move, position)) : stayed;
      });
    }),
    biased: (cache.kept?.biased ?? false) || plans.some((heads) => heads?.some(({ bias }) => bias)),
    reads: plan.reads ?? (plan.heads || plan.encodings || move ? undefined : cache.kept?.reads),
    provenance: provenance(
      cache.model.name,
      { method: method.name, ...method.options, ratio: method.ratio },
      seed,
    ),
  };
  for (const { keys, values } of plans.flatMap((heads) => heads ?? []))
    for (const rows of [keys, values]) rows?.dispose();
  for (const { keys, values } of plan.encodings?.flat() ?? [])
    for (const one of [keys, values]) {
      if (one?.kind === "rank") one.basis.dispose();
      if (one?.kind === "shared") one.directions?.dispose();
    }
  const { model, compute, kv, rope } = cache;
  const small = new Cache(model, compute, kv, rope, handle, [...cache.ids], facts);
  const measures = terms.measure ? await measured(cache, small, MEASURED) : [];
  const report = {
    ...{ method: method.name, model: model.name, ratio: method.ratio!, tokens: cache.length, seconds },
    ...{ bytesBefore: cache.bytes, bytes: small.bytes, bytesRead: small.bytesRead },
    notes: plan.notes ?? {},
    heads: measures.map((one) => ({
      ...one,
      kept: facts.positions[one.layer]![one.head]!.length,
      of: cache.length,
    })),
  };
  return small.reported(new CompactionReport(report, facts.provenance));
}

function everyKey(cache: Cache, layer: number, kept: Protected | undefined): HeadPlan[] {
  const own = cache.positions(layer);
  const counts = kept ? between(own, kept).map(({ count }) => count) : own.map(({ length }) => length);
  return counts.map((count) => ({ keep: Int32Array.from({ length: count }, (_, i) => i) }));
}

/** The same keys, of which a query reads only some pages. */
async function readingPages(cache: NativeCache, next: number, pages: number): Promise<NativeCache> {
  const [handle, done] = native().readPages(cache, next, pages);
  native().releaseCache(cache);
  await Tensor.fromBuffer(done, [0], "f32", "read pages").data();
  return handle;
}

function moveOf(cache: Cache, kept: Protected | undefined, span: number): Move | undefined {
  const { from, to } = kept ?? { from: 0, to: cache.position };
  return to - from > span ? { from, to, span } : undefined;
}

/**
 * A layer's plans over whole heads: with what was protected, with the biases that kept keys had already where none is given,
 * and with keys where they are to stand.
 */
async function wholePlans(
  cache: Cache,
  layer: number,
  heads: readonly HeadPlan[] | undefined,
  { kept, move }: Terms,
): Promise<HeadPlan[] | undefined> {
  const given = heads ?? (move && cache.counts(layer).map(all));
  if (!given || (!kept && !move && !cache.kept?.biased)) return given && [...given];
  const own = layerOf(cache, layer);
  try {
    const parts = own.positions.map((one) =>
      kept ? between([one], kept)[0]! : { at: 0, count: one.length },
    );
    const had = (await own.bias?.data()) as Float32Array | undefined;
    const T = own.keys.shape[1]!;
    return given.map((plan, head) => {
      const whole = kept && heads ? widened(plan, own, head, kept) : plan;
      const before = had?.subarray(head * T, (head + 1) * T);
      const part = parts[head]!;
      const bias = before ? biasOf(whole, plan.bias !== undefined, before, part) : whole.bias;
      const biased = { ...whole, bias };
      return move ? movedPlan(biased, own, head, move, cache.rope) : biased;
    });
  } finally {
    disposeLayer(own);
  }
}

const all = (count: number): HeadPlan => ({ keep: Int32Array.from({ length: count }, (_, i) => i) });

/** A method's own where it gives one, for the keys that it saw; else what a key had. */
function biasOf(
  { keep, bias }: HeadPlan,
  given: boolean,
  before: Float32Array,
  { at, count }: { at: number; count: number },
): Float32Array {
  const seen = (i: number) => given && i >= at && i < at + count;
  return Float32Array.from(keep, (i, place) => (seen(i) ? bias![place]! : before[i]!));
}

function checkMethod(method: Method): void {
  if (typeof method?.plan !== "function" || typeof method.name !== "string")
    throw new LensorError("cache.compact needs a method", {
      expected: "what attentionMatching({ ratio }), snapKV({ ratio }), streaming({ ratio }) ... give",
      got: describe(method),
    });
  if (method.ratio === undefined) throw withoutRatio(method.name);
}

function withoutRatio(name: string): LensorError {
  return new LensorError(`cache.compact: ${name} was made without a ratio, as a sweep takes it`, {
    expected: `${name}({ ratio: 10 }): bytes before divided by bytes after`,
  });
}

function isEmpty(): LensorError {
  return new LensorError("cache.compact: the cache is empty", {
    expected: "a cache of some text",
    fix: "Read one first: await model.prefill(text).",
  });
}

function keptOf(cache: Cache, { keepFirst, keepLast }: CompactOptions): Protected | undefined {
  if (keepFirst === undefined && keepLast === undefined) return undefined;
  const [first, last] = [keepFirst ?? 0, keepLast ?? 0];
  const most = cache.position;
  checkNumber("cache.compact", "keepFirst", first, { least: 0, most, whole: true });
  checkNumber("cache.compact", "keepLast", last, { least: 0, most, whole: true });
  if (first + last < most) return { from: first, to: cache.position - last };
  throw new LensorError("cache.compact: what is to stay is all there is", {
    expected: `keepFirst and keepLast below ${most} tokens together`,
    got: `${first} and ${last}`,
  });
}

/** What may stay, in bytes and keys; what is protected is taken off first. */
export function roomOf(cache: Cache, method: Method, kept: Protected | undefined): Room {
  const { length } = cache;
  const { layers, kvHeads } = cache.model.config;
  if (length === 0) throw isEmpty();
  const ratio = method.ratio!;
  if (!(ratio >= 1 && ratio <= length))
    throw new LensorError(`cache.compact: ratio is wrong`, {
      expected: `a number from 1 to ${length}, the tokens of the cache`,
      got: describe(ratio),
    });
  const key = keyBytes(cache);
  let stays = 0;
  for (let layer = 0; layer < layers && kept; layer++) {
    const counts = cache.counts(layer);
    const parts = between(cache.positions(layer), kept);
    stays += counts.reduce((sum, count, head) => sum + count - parts[head]!.count, 0);
  }
  // Parts of pages are rounded to whole lines of memory.
  const rounding = ratio === 1 ? 0 : layers * kvHeads * 64 + 1024;
  const bytes = Math.floor(cache.bytes / ratio) - rounding - stays * key;
  const keys = (biased: boolean) => Math.max(0, Math.floor(bytes / (key + (biased ? 4 : 0))));
  if (keys(false) < layers * kvHeads)
    throw new LensorError(`cache.compact: at ${ratio}x not one key is left for each head`, {
      expected: kept
        ? "a lower ratio, or fewer tokens in keepFirst and keepLast: they count"
        : `a ratio below ${Math.floor(cache.bytes / (layers * kvHeads * (key + 64) + 1024))}`,
      got: describe(ratio),
    });
  return { ratio, bytes, keys };
}
