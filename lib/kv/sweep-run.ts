// Carries a sweep out: makes each smaller cache, asks it what the full one was asked, and compares. A point that cannot be made
// is noted and the rest goes on; what is done when it is stopped stays. Leaves the cache as it was.

import { createHash } from "node:crypto";
import { LensorError } from "../errors.ts";
import { pairedInterval, shareInterval } from "../evaluate/intervals.ts";
import { stopIfInterrupted } from "../host.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import { quietly, showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import { checkSeed } from "../tensor/random.ts";
import { type Answer, ask, Reference, together } from "./ask.ts";
import type { Cache } from "./cache.ts";
import { HeldOut } from "./held-out.ts";
import type { Method } from "./method.ts";
import { isContinuation, type Probe, probesOf } from "./probes/probe.ts";
import type { CompactionReport } from "./report.ts";
import type { Maker } from "./summary.ts";
import { Sweep, type SweepRow, scoreOf } from "./sweep.ts";

export interface SweepOptions {
  /** Bytes before / bytes after, each for every method; one that was made with a ratio is measured at that alone. */
  ratios: readonly number[];
  /**
   * A text is a continuation of the cache's own, to be scored. The full cache's distributions are kept meanwhile: four bytes
   * for each scored token and word of the vocabulary.
   */
  probes: readonly (string | Probe)[];
  /** Of what methods draw at random. */
  seed?: number;
  /** Ends it after the point under way; what was measured stays. */
  signal?: AbortSignal;
}

/** A text, what is asked about it, and how the full cache answered. */
interface Subject {
  cache: Cache;
  /** Whether the cache was made for the probe. */
  own: boolean;
  probes: readonly Probe[];
  full: Answer[][];
  none: Answer[][] | undefined;
  references: Reference[];
  heldOut: HeldOut | undefined;
}

/** What asking a point costs beside the questions, in questions. */
const MAKING = 6;

export async function sweep(
  cache: Cache,
  methods: readonly (Method | Maker)[],
  options: SweepOptions,
): Promise<Sweep> {
  const { probes, seed, signal } = checked(methods, options);
  const points = methods.flatMap((method) =>
    method.ratio === undefined ? options.ratios.map((ratio) => method.at(ratio)) : [method],
  );
  const items = probes.reduce((sum, probe) => sum + probe.items.length, 0);
  const texts = 1 + probes.filter(({ context }) => context !== undefined).length;
  const each = items + texts * MAKING;
  const total = each * (points.length + 1);
  const progress = showProgress(`Sweep of ${points.length} caches`, total, {
    amount: (done) => `${Math.floor(done / each)} of ${points.length + 1}`,
    afterMs: 500,
  });
  let done = 0;
  const step = (by = 1) => {
    stopIfInterrupted();
    progress.update((done += by));
  };
  const subjects: Subject[] = [];
  const rows: SweepRow[] = [];
  const failed: { method: string; ratio: number; problem: string }[] = [];
  try {
    await quietly(() => prepare(cache, probes, subjects, step));
    const full = rowOf({ method: "full", ratio: 1 }, cache.bytes, cache.bytes, 0, subjects, {
      answers: subjects.map((subject) => subject.full),
      errors: 0,
      report: undefined,
    });
    for (const [i, point] of points.entries()) {
      if (signal?.aborted) break;
      try {
        rows.push(await quietly(() => measured(point, subjects, seed, signal, step)));
      } catch (error) {
        stopIfInterrupted();
        if (signal?.aborted) break;
        failed.push({ method: point.name, ratio: point.ratio!, problem: (error as Error).message });
      }
      done = each * (i + 2);
    }
    if (rows.length === 0 && failed.length > 0)
      throw new LensorError(`cache.sweep: no smaller cache could be made\n${failed[0]!.problem}`);
    const none = subjects.flatMap((subject) => subject.none ?? []).flatMap((one) => together(one).right);
    const stopped = rows.length + failed.length < points.length;
    progress.end(`Sweep: ${rows.length} caches measured${stopped ? ", then stopped" : ""}`);
    const names = methods.map(({ name, options }) => ({ name, ...options }));
    const about = { methods: names, ratios: options.ratios, probes: probes.map(({ name }) => name) };
    const data = createHash("sha256")
      .update(JSON.stringify([cache.ids, probes]))
      .digest("hex")
      .slice(0, 16);
    return new Sweep({
      ...{ rows, full, failed, stopped, length: cache.length },
      none: none.length > 0 ? shareInterval(none).value : undefined,
      scored: scoredBy(subjects),
      provenance: provenance(
        cache.model.name,
        { ...about, data, compute: cache.compute, kv: cache.kv },
        seed,
      ),
    });
  } catch (error) {
    progress.end("The sweep stopped");
    throw error;
  } finally {
    for (const { own, cache, references, heldOut } of subjects) {
      for (const reference of references) reference.dispose();
      heldOut?.dispose();
      if (own) cache.dispose();
    }
  }
}

/** Reads each probe's own text, asks the full caches and nobody, and keeps what others are compared to. */
async function prepare(
  cache: Cache,
  probes: readonly Probe[],
  subjects: Subject[],
  step: (by?: number) => void,
) {
  const { model, compute, kv } = cache;
  const about = (cache: Cache, own: boolean, probes: readonly Probe[]): Subject => ({
    ...{ cache, own, probes, full: [], none: undefined, references: [], heldOut: undefined },
  });
  subjects.push(
    about(
      cache,
      false,
      probes.filter(({ context }) => context === undefined),
    ),
  );
  for (const probe of probes)
    if (probe.context !== undefined)
      subjects.push(about(await model.prefill(probe.context, { compute, kv }), true, [probe]));
  for (const subject of subjects) {
    for (const { items } of subject.probes) {
      const keep = new Reference();
      subject.references.push(keep);
      subject.full.push(await ask(subject.cache, items, { keep, onItem: step }));
      if (!subject.own || items.every(isContinuation)) continue;
      const nothing = subject.cache.rewind(0);
      subject.none = [...(subject.none ?? []), await ask(nothing, items)];
      nothing.dispose();
    }
    const items = subject.probes.flatMap((probe) => probe.items);
    if (items.length > 0) subject.heldOut = await HeldOut.of(subject.cache, items);
    step(MAKING);
  }
}

async function measured(
  method: Method | Maker,
  subjects: readonly Subject[],
  seed: number,
  signal: AbortSignal | undefined,
  step: (by?: number) => void,
): Promise<SweepRow> {
  const answers: Answer[][][] = [];
  const errors: number[] = [];
  let [bytes, seconds] = [0, 0];
  let report: CompactionReport | undefined;
  for (const [s, subject] of subjects.entries()) {
    const began = performance.now();
    const small = await smaller(method, subject.cache, seed, signal);
    step(MAKING);
    try {
      if (s === 0) {
        bytes = small.bytes;
        report = small.kept && small.report();
        seconds = report?.seconds ?? (performance.now() - began) / 1000;
      }
      const given: Answer[][] = [];
      for (const [i, { items }] of subject.probes.entries())
        given.push(await ask(small, items, { other: subject.references[i]!, onItem: step }));
      answers.push(given);
      if (subject.heldOut && "plan" in method)
        errors.push(mean((await subject.heldOut.errors(small)).flat()));
    } finally {
      small.dispose();
    }
  }
  const found = { answers, errors: errors.length > 0 ? mean(errors) : Number.NaN, report };
  const before = subjects[0]!.cache.bytes;
  return rowOf({ method: method.name, ratio: method.ratio! }, before, bytes, seconds, subjects, found);
}

function smaller(method: Method | Maker, cache: Cache, seed: number, signal: AbortSignal | undefined) {
  if ("plan" in method) return cache.compact(method, { seed, ...(signal && { signal }) });
  return method.make(cache, { seed, signal });
}

function rowOf(
  which: { method: string; ratio: number },
  before: number,
  bytes: number,
  seconds: number,
  subjects: readonly Subject[],
  found: { answers: Answer[][][]; errors: number; report: CompactionReport | undefined },
): SweepRow {
  const { kl, perplexity, right } = together(found.answers.flat(2));
  const interval = shareInterval(right);
  const toFull = pairedInterval(right, together(subjects.flatMap(({ full }) => full.flat())).right);
  return {
    ...which,
    // What reads less but frees nothing (Quest) holds a little more, the bounds of its pages.
    ...{
      realRatio: found.report && bytes >= before ? 1 : before / bytes,
      bytes,
      kl,
      perplexity,
      attentionError: found.errors,
    },
    ...{ accuracy: interval.value, interval, toFull, seconds, report: found.report },
    probes: subjects.flatMap((subject, s) =>
      subject.probes.map(({ name }, i) =>
        scoreOf(name, found.answers[s]![i]!, subject.full[i]!, subject.none?.[i]),
      ),
    ),
  };
}

function scoredBy(subjects: readonly Subject[]) {
  const answers = subjects.flatMap(({ full }) => full.flat());
  return {
    tokens: answers.reduce((sum, { tokens }) => sum + tokens, 0),
    questions: answers.filter(({ right }) => right !== undefined).length,
  };
}

function checked(methods: unknown, options: SweepOptions) {
  checkNames("cache.sweep", options ?? {}, ["ratios", "probes", "seed", "signal"]);
  const list = Array.isArray(methods) ? methods : [methods];
  const stranger = list.find((one) => typeof one?.at !== "function" || typeof one.name !== "string");
  if (!Array.isArray(methods) || list.length === 0 || stranger !== undefined)
    throw new LensorError("cache.sweep takes a list of methods", {
      expected: "what snapKV(), attentionMatching(), summaryOnly() ... give, without a ratio",
      got: stranger === undefined || !Array.isArray(methods) ? describe(methods) : describe(stranger),
    });
  const { ratios, probes, seed = 0, signal } = options ?? {};
  if (!Array.isArray(ratios) || ratios.length === 0)
    throw new LensorError("cache.sweep: ratios is wrong", {
      expected: "a list of numbers from 1 up, such as [2, 5, 10, 20, 50]",
      got: Array.isArray(ratios) ? "an empty list" : describe(ratios),
    });
  for (const ratio of ratios) checkNumber("cache.sweep", "ratios", ratio, { least: 1 });
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new LensorError("cache.sweep: signal is none", {
      expected: "an AbortSignal, as of `new AbortController().signal`",
      got: describe(signal),
    });
  return { probes: probesOf("cache.sweep", probes), seed: checkSeed(seed, "cache.sweep"), signal };
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
