// `cache.sweep(methods, { ratios, probes })`: what it found. One row a method and ratio; holds numbers and reports, no cache.

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { type Interval, pairedInterval, shareInterval } from "../evaluate/intervals.ts";
import { checkNames, describe } from "../options.ts";
import { Figure } from "../plot/figure.ts";
import { formatCount } from "../plot/format.ts";
import { sweepFigure } from "../plot/sweep.ts";
import type { Quality } from "../plot/sweep-parts.ts";
import type { Provenance } from "../provenance.ts";
import type { Answer } from "./ask.ts";
import { together } from "./ask.ts";
import type { CompactionReport } from "./report.ts";

/** How one cache answered one probe. */
export interface ProbeScore {
  readonly probe: string;
  readonly kl: number;
  readonly perplexity: number;
  readonly questions: number;
  /** The share right, with its 95 % interval. NaN where nothing was asked. */
  readonly accuracy: Interval;
  /** The share right less that of the full cache, over the same questions. */
  readonly toFull: Interval;
  /** The same less that without any text; only of a probe with a text of its own. */
  readonly toNone: Interval | undefined;
}

/** One method at one ratio. */
export interface SweepRow {
  /** By its name. */
  readonly method: string;
  /** That was asked for. */
  readonly ratio: number;
  /** Bytes before / bytes after, by the allocator's count. */
  readonly realRatio: number;
  /** Of the smaller cache, by the allocator's count. */
  readonly bytes: number;
  /** Mean KL(full || compacted) of next-token distributions over the probes' tokens, in nats. */
  readonly kl: number;
  /** Of the probes' continuations. */
  readonly perplexity: number;
  /** Mean over layers and KV heads of ||o' - o|| / ||o||, for the probes' own queries. NaN where there are no keys to compare. */
  readonly attentionError: number;
  /** Of all questions of all probes. NaN where none was asked. */
  readonly accuracy: number;
  readonly interval: Interval;
  /** The share right less that of the full cache, over the same questions. */
  readonly toFull: Interval;
  /** To make the smaller cache. */
  readonly seconds: number;
  /** Each probe's own. */
  readonly probes: readonly ProbeScore[];
  /** What happened to each head of the swept cache; none of a summary. */
  readonly report: CompactionReport | undefined;
}

const QUALITIES = ["kl", "accuracy", "attentionError", "perplexity"] as const;

/**
 * What `cache.sweep` found: one row a method and ratio, as one table and one plot of quality against memory. Numbers and
 * reports, no cache.
 */
export class Sweep {
  /** One a method and ratio. */
  readonly rows: readonly SweepRow[];
  /** The cache itself, asked the same. */
  readonly full: SweepRow;
  /** Points that could not be made, and why. */
  readonly failed: readonly { method: string; ratio: number; problem: string }[];
  /** Whether it was ended before all points were made. */
  readonly stopped: boolean;
  /** Whose cache it was. */
  readonly model: string;
  /** Of the swept cache, in tokens. */
  readonly length: number;
  /** What made it: model, methods, probes, seed, versions. */
  readonly provenance: Provenance;
  readonly #none: number | undefined;
  readonly #scored: string;

  /** @internal Use `cache.sweep`. */
  constructor(parts: {
    rows: readonly SweepRow[];
    full: SweepRow;
    none: number | undefined;
    failed: readonly { method: string; ratio: number; problem: string }[];
    stopped: boolean;
    length: number;
    scored: { tokens: number; questions: number };
    provenance: Provenance;
  }) {
    const { rows, full, failed, stopped, length, scored } = parts;
    this.rows = rows;
    this.full = full;
    this.failed = failed;
    this.stopped = stopped;
    this.model = parts.provenance.model;
    this.length = length;
    this.provenance = parts.provenance;
    this.#none = parts.none;
    this.#scored = [
      `${formatCount(scored.tokens)} scored tokens`,
      ...(scored.questions ? [`${formatCount(scored.questions)} questions`] : []),
    ].join(", ");
  }

  /** The row of a method and ratio. @throws LensorError where there is none */
  row(method: string, ratio: number): SweepRow {
    const found = this.rows.find((row) => row.method === method && row.ratio === ratio);
    if (found) return found;
    throw new LensorError(`The sweep has no point of ${method} at ${ratio}`, {
      expected: this.rows.map((row) => `${row.method} at ${row.ratio}`).join(", "),
    });
  }

  /** Quality against memory, a panel for each measure: by default the distance from the full cache, and right answers. */
  plot(options: { quality?: Quality | readonly Quality[] } = {}): Figure {
    checkNames("sweep.plot", options, ["quality"]);
    const { quality = ["kl", "accuracy"] } = options;
    const qualities = (Array.isArray(quality) ? quality : [quality]) as Quality[];
    const stranger = qualities.find((one) => !QUALITIES.includes(one));
    if (stranger !== undefined || qualities.length === 0)
      throw new LensorError("sweep.plot: quality is wrong", {
        expected: `some of ${QUALITIES.join(", ")}`,
        got: qualities.length ? describe(stranger) : "none",
      });
    const point = (row: SweepRow) => ({ ...row, accuracy: row.interval, detail: row.report?.detail() });
    return new Figure(() =>
      sweepFigure({
        ...{ points: this.rows.map(point), full: point(this.full), none: this.#none, qualities },
        ...{ model: this.model, length: this.length, scored: this.#scored },
      }),
    );
  }

  /** One row a method and ratio: method, ratio, realRatio, bytes, kl, perplexity, attentionError, accuracy, seconds. */
  table(): Table {
    const numbers = (name: keyof SweepRow) => Float64Array.from(this.rows, (row) => row[name] as number);
    return tableFromArrays({
      method: this.rows.map((row) => row.method),
      ratio: numbers("ratio"),
      realRatio: numbers("realRatio"),
      bytes: numbers("bytes"),
      kl: numbers("kl"),
      perplexity: numbers("perplexity"),
      attentionError: numbers("attentionError"),
      accuracy: numbers("accuracy"),
      seconds: numbers("seconds"),
    });
  }

  /**
   * One row a method, ratio and probe, the full cache first: kl, perplexity, questions, accuracy with low and high, and the
   * paired differences to the full cache (toFull...) and to no text (toNone...), all intervals 95 %.
   */
  probeTable(): Table {
    const each = [this.full, ...this.rows].flatMap((row) => row.probes.map((score) => ({ row, score })));
    const numbers = (pick: (one: (typeof each)[number]) => number | undefined) =>
      Float64Array.from(each, (one) => pick(one) ?? Number.NaN);
    return tableFromArrays({
      method: each.map(({ row }) => row.method),
      ratio: numbers(({ row }) => row.ratio),
      probe: each.map(({ score }) => score.probe),
      kl: numbers(({ score }) => score.kl),
      perplexity: numbers(({ score }) => score.perplexity),
      questions: Int32Array.from(each, ({ score }) => score.questions),
      accuracy: numbers(({ score }) => score.accuracy.value),
      low: numbers(({ score }) => score.accuracy.low),
      high: numbers(({ score }) => score.accuracy.high),
      toFull: numbers(({ score }) => score.toFull.value),
      toFullLow: numbers(({ score }) => score.toFull.low),
      toFullHigh: numbers(({ score }) => score.toFull.high),
      toNone: numbers(({ score }) => score.toNone?.value),
      toNoneLow: numbers(({ score }) => score.toNone?.low),
      toNoneHigh: numbers(({ score }) => score.toNone?.high),
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

/** A probe's answers beside those of the full cache and those without any text. */
export function scoreOf(
  probe: string,
  answers: readonly Answer[],
  full: readonly Answer[],
  none: readonly Answer[] | undefined,
): ProbeScore {
  const { kl, perplexity, right } = together(answers);
  return {
    ...{ probe, kl, perplexity, questions: right.length, accuracy: shareInterval(right) },
    toFull: pairedInterval(right, together(full).right),
    toNone: none && pairedInterval(right, together(none).right),
  };
}
