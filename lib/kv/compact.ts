// cache.compact: asks a method for a plan, makes the smaller cache by it, and measures what was lost. The cache it is made of
// stays as it is, also where the work ends early.

import { LensorError } from "../errors.ts";
import { native } from "../native.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import { showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import { Tensor } from "../tensor/index.ts";
import { checkSeed } from "../tensor/random.ts";
import { Cache, type Kept } from "./cache.ts";
import { choiceOf } from "./choice.ts";
import type { HeadPlan, Method, Plan, Room } from "./method.ts";
import { between, middleOf, type Protected, widened } from "./protect.ts";
import { CompactionReport, measured } from "./report.ts";
import { disposeLayer, layerOf, sourceOf } from "./source.ts";

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

/** Queries that measure what was lost are those of the text's last tokens, which no method fits alone. */
const MEASURED = 128;

export async function compact(cache: Cache, method: Method, options: CompactOptions = {}): Promise<Cache> {
  checkNames("cache.compact", options, ["keepFirst", "keepLast", "seed", "signal"]);
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
    return await carryOut(cache, method, plan, kept, seed, seconds);
  } finally {
    progress.end(`${method.name} at ${method.ratio}x`);
  }
}

/** Makes the smaller cache. Its report's errors are measured now: the large one may be gone when somebody looks. */
async function carryOut(
  cache: Cache,
  method: Method,
  plan: Plan,
  kept: Protected | undefined,
  seed: number,
  seconds: () => number,
): Promise<Cache> {
  const { layers } = cache.model.config;
  const plans: (HeadPlan[] | undefined)[] = [];
  for (let layer = 0; layer < layers; layer++)
    plans.push(await wholePlans(cache, layer, plan.heads?.[layer], kept));
  const choices = plans.flatMap((heads, layer) =>
    heads ? heads.map(choiceOf) : cache.counts(layer).map(() => undefined),
  );
  const [handle, done] = native().chooseKeys(cache.native(), cache.length, choices);
  await Tensor.fromBuffer(done, [0], "f32", "compact").data();
  const took = seconds();
  const report: CompactionReport = new CompactionReport(method, cache, took, plan.notes);
  const facts: Kept = {
    length: cache.length,
    positions: plans.map((heads, layer) => {
      const own = cache.positions(layer);
      return own.map((positions, head) => {
        const keep = heads?.[head]?.keep;
        return keep ? keep.map((i) => positions[i]!) : positions;
      });
    }),
    biased: (cache.kept?.biased ?? false) || plans.some((heads) => heads?.some(({ bias }) => bias)),
    report,
    provenance: provenance(
      cache.model.name,
      { method: method.name, ...method.options, ratio: method.ratio },
      seed,
    ),
  };
  for (const { keys, values } of plans.flatMap((heads) => heads ?? []))
    for (const rows of [keys, values]) rows?.dispose();
  const small = new Cache(cache.model, cache.compute, cache.kv, cache.rope, handle, [...cache.ids], facts);
  report.fill(small, facts, await measured(cache, small, MEASURED));
  return small;
}

/** A layer's plans over whole heads, with the biases that kept keys had already where none is given. */
async function wholePlans(
  cache: Cache,
  layer: number,
  heads: readonly HeadPlan[] | undefined,
  kept: Protected | undefined,
): Promise<HeadPlan[] | undefined> {
  if (!heads || (!kept && !cache.kept?.biased)) return heads && [...heads];
  const own = layerOf(cache, layer);
  try {
    const had = (await own.bias?.data()) as Float32Array | undefined;
    const T = own.keys.shape[1]!;
    return heads.map((plan, head) => {
      const whole = kept ? widened(plan, own, head, kept) : plan;
      const before = had?.subarray(head * T, (head + 1) * T);
      if (!before) return whole;
      const middle = kept && between([own.positions[head]!], kept)[0]!;
      const given = (i: number) => plan.bias && (!middle || (i >= middle.at && i < middle.at + middle.count));
      return {
        ...whole,
        bias: Float32Array.from(whole.keep, (i, at) => (given(i) ? whole.bias![at]! : before[i]!)),
      };
    });
  } finally {
    disposeLayer(own);
  }
}

function checkMethod(method: Method): void {
  if (typeof method?.plan !== "function" || typeof method.name !== "string")
    throw new LensorError("cache.compact needs a method", {
      expected: "what attentionMatching({ ratio }), snapKV({ ratio }), streaming({ ratio }) ... give",
      got: describe(method),
    });
  if (method.ratio === undefined)
    throw new LensorError(`cache.compact: ${method.name} was made without a ratio, as a sweep takes it`, {
      expected: `${method.name}({ ratio: 10 }): bytes before divided by bytes after`,
    });
}

function keptOf(cache: Cache, { keepFirst, keepLast }: CompactOptions): Protected | undefined {
  if (keepFirst === undefined && keepLast === undefined) return undefined;
  const [first, last] = [keepFirst ?? 0, keepLast ?? 0];
  const most = cache.length;
  checkNumber("cache.compact", "keepFirst", first, { least: 0, most, whole: true });
  checkNumber("cache.compact", "keepLast", last, { least: 0, most, whole: true });
  if (first + last < most) return { from: first, to: most - last };
  throw new LensorError("cache.compact: what is to stay is all there is", {
    expected: `keepFirst and keepLast below ${most} tokens together`,
    got: `${first} and ${last}`,
  });
}

/** What may stay, in bytes and keys; what is protected is taken off first. */
export function roomOf(cache: Cache, method: Method, kept: Protected | undefined): Room {
  const { length, kv } = cache;
  const { layers, kvHeads, headWidth } = cache.model.config;
  if (length === 0)
    throw new LensorError("cache.compact: the cache is empty", {
      expected: "a cache of some text",
      fix: "Read one first: await model.prefill(text).",
    });
  const ratio = method.ratio!;
  if (!(ratio >= 1 && ratio <= length))
    throw new LensorError(`cache.compact: ratio is wrong`, {
      expected: `a number from 1 to ${length}, the tokens of the cache`,
      got: describe(ratio),
    });
  const size = kv === "f32" ? 4 : kv === "i8" ? 1 : 2;
  const scale = kv === "i8" ? 4 : 0;
  const key = headWidth * size + Math.ceil(headWidth / 16) * 16 * size + 2 * scale;
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
