// What became of the data: how many rows and tokens went through each step, what was dropped and why, with examples. Runs the
// pipeline when it is first read, and keeps numbers and a few short texts, no rows.

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { checkNames, describe } from "../options.ts";
import { dataReport } from "../plot/data-report.ts";
import { Figure } from "../plot/figure.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Measure } from "./chunk.ts";
import type { Dataset } from "./dataset.ts";
import type { Broken, Reason } from "./log.ts";
import { type Count, type Record as Run, type Stage, WORDS } from "./pipeline.ts";

export interface ReportOptions {
  /** The column whose text is measured; `text` by default. */
  column?: string;
  /** Counts its tokens; without one, words are counted until rows are tokenized. */
  tokenizer?: Tokenizer;
}

/** What passed one point: rows, and how long their texts are together. */
export interface Amount {
  /** How many. */
  readonly rows: number;
  /** Of all texts together, in `unit`. */
  readonly length: number;
  /** Of the length: words, or tokens with a tokenizer. */
  readonly unit: string;
  /** Rows by length: bin i holds lengths from 2^(i-1) to 2^i - 1, bin 0 the empty ones. */
  readonly histogram: readonly number[];
}

/** What one step did. */
export interface StepReport {
  /** Of the step. */
  readonly name: string;
  /** What it was made with. */
  readonly options: Readonly<Record<string, unknown>>;
  /** That came. */
  readonly rowsIn: number;
  /** That went on. */
  readonly rowsOut: number;
  /** What came, in rows and length. */
  readonly before: Amount;
  /** What went on. */
  readonly after: Amount;
  /** The most frequent first. */
  readonly dropped: readonly Reason[];
  /** What was changed in the rows that stayed, and how often. */
  readonly changed: readonly Reason[];
  /** What the step has to say besides. */
  readonly notes: Readonly<Record<string, unknown>>;
}

/**
 * What became of the data: how many rows and tokens went through each step, what was dropped and why, with examples. Runs
 * the steps when it is first read, and keeps numbers and a few short texts, no rows.
 */
export class DataReport {
  readonly #dataset: Dataset;
  readonly #column: string;
  readonly #measure: Measure;
  #run: Promise<Run> | undefined;

  /** @internal Use `dataset.report()`. */
  constructor(dataset: Dataset, options: ReportOptions = {}) {
    checkNames("dataset.report", options, ["column", "tokenizer"]);
    const { column = "text", tokenizer } = options;
    if (tokenizer !== undefined && typeof tokenizer?.encode !== "function")
      throw new LensorError("dataset.report: tokenizer is wrong", {
        expected: "model.tokenizer",
        got: describe(tokenizer),
      });
    this.#dataset = dataset;
    this.#column = column;
    this.#measure = tokenizer ? tokensOf(tokenizer) : WORDS;
  }

  /** The source first, then every step. */
  async steps(): Promise<StepReport[]> {
    return (await this.#ran()).stages.map(stepOf);
  }

  /** Pieces of input that could not be read: file, line, problem, text. The first thousand. */
  async broken(): Promise<readonly Broken[]> {
    return (await this.#ran()).stages[0]!.log.broken;
  }

  /** One row a step: step, rowsIn, rowsOut, dropped, lengthIn, lengthOut, unit (words or tokens). */
  async table(): Promise<Table> {
    const steps = await this.steps();
    const numbers = (pick: (step: StepReport) => number) => Float64Array.from(steps, pick);
    return tableFromArrays({
      step: steps.map(({ name }) => name),
      rowsIn: numbers((step) => step.rowsIn),
      rowsOut: numbers((step) => step.rowsOut),
      dropped: numbers((step) => Math.max(0, step.rowsIn - step.rowsOut)),
      lengthIn: numbers((step) => step.before.length),
      lengthOut: numbers((step) => step.after.length),
      unit: steps.map(({ after }) => after.unit),
    });
  }

  /** One row a reason: step, reason, kind (dropped or changed), count, example. */
  async reasons(): Promise<Table> {
    const each = (await this.steps()).flatMap(({ name, dropped, changed }) => [
      ...dropped.map((reason) => ({ name, kind: "dropped", ...reason })),
      ...changed.map((reason) => ({ name, kind: "changed", ...reason })),
    ]);
    return tableFromArrays({
      step: each.map(({ name }) => name),
      reason: each.map(({ reason }) => reason),
      kind: each.map(({ kind }) => kind),
      count: Float64Array.from(each, ({ count }) => count),
      example: each.map(({ examples }) => examples[0] ?? null),
    });
  }

  /** The funnel of rows, the reasons why they went, and the lengths of texts before and after. */
  plot(): Figure {
    return new Figure(async () =>
      dataReport({ source: this.#dataset.source.name, steps: await this.steps() }),
    );
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }

  #ran(): Promise<Run> {
    return (this.#run ??= this.#read());
  }

  async #read(): Promise<Run> {
    const known = this.#dataset.lastRecord(this.#measure, this.#column);
    if (known) return known;
    const record = this.#dataset.record(this.#measure, this.#column);
    for await (const _ of this.#dataset.run(record)) {
      // Only what the log counts is wanted.
    }
    return record;
  }
}

function stepOf({ log, before, after }: Stage, i: number): StepReport {
  const first = i === 0;
  return {
    name: log.name,
    options: log.options,
    ...{ rowsIn: first ? after.rows + log.brokenCount : before.rows, rowsOut: after.rows },
    ...{ before: amountOf(first ? after : before), after: amountOf(after) },
    ...{ dropped: log.drops, changed: log.changes, notes: log.notes },
  };
}

function amountOf({ rows, length, unit, histogram }: Count): Amount {
  return { rows, length, unit, histogram: [...histogram] };
}

const measures = new WeakMap<Tokenizer, Measure>();

/** One for each tokenizer, so that lengths once counted are known to be its. */
function tokensOf(tokenizer: Tokenizer): Measure {
  let measure = measures.get(tokenizer);
  if (!measure)
    measures.set(tokenizer, (measure = { unit: "tokens", of: (text) => tokenizer.idsOf(text).length }));
  return measure;
}
