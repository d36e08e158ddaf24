// What became of the data: how many rows and words went through each step, what was dropped and why, with examples. Runs the
// pipeline when it is first read, and keeps numbers and a few short texts, no rows.

import { type Table, tableFromArrays } from "apache-arrow";
import { checkNames } from "../options.ts";
import type { Dataset } from "./dataset.ts";
import type { Broken, Reason } from "./log.ts";
import { type Count, type Record as Run, WORDS } from "./pipeline.ts";

export interface ReportOptions {
  /** The column whose text is measured; `text` by default. */
  column?: string;
}

export interface StepReport {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly rowsIn: number;
  readonly rowsOut: number;
  /** In words, or in tokens once they are counted. */
  readonly lengthIn: number;
  readonly lengthOut: number;
  /** The most frequent first. */
  readonly dropped: readonly Reason[];
  readonly changed: readonly Reason[];
  readonly notes: Readonly<Record<string, unknown>>;
}

export class DataReport {
  readonly #dataset: Dataset;
  readonly #column: string;
  #run: Promise<Run> | undefined;

  /** @internal Use `dataset.report()`. */
  constructor(dataset: Dataset, options: ReportOptions = {}) {
    checkNames("dataset.report", options, ["column"]);
    this.#dataset = dataset;
    this.#column = options.column ?? "text";
  }

  /** The source first, then every step. */
  async steps(): Promise<StepReport[]> {
    const { stages } = await this.#ran();
    return stages.map(({ log, before, after }, i) => ({
      name: log.name,
      options: log.options,
      ...{ rowsIn: i === 0 ? after.rows + log.brokenCount : before.rows, rowsOut: after.rows },
      ...{ lengthIn: i === 0 ? after.length : before.length, lengthOut: after.length },
      ...{ dropped: log.drops, changed: log.changes, notes: log.notes },
    }));
  }

  /** Pieces of input that could not be read: file, line, problem, text. The first thousand. */
  async broken(): Promise<readonly Broken[]> {
    return (await this.#ran()).stages[0]!.log.broken;
  }

  /** Rows by the length of their text, of the source and at the end. @internal */
  async ends(): Promise<{ before: Count; after: Count; unit: string }> {
    const { stages, measure } = await this.#ran();
    return { before: stages[0]!.after, after: stages.at(-1)!.after, unit: measure.unit };
  }

  /** One row a step: step, rowsIn, rowsOut, dropped, wordsIn, wordsOut. */
  async table(): Promise<Table> {
    const steps = await this.steps();
    const numbers = (pick: (step: StepReport) => number) => Float64Array.from(steps, pick);
    return tableFromArrays({
      step: steps.map(({ name }) => name),
      rowsIn: numbers((step) => step.rowsIn),
      rowsOut: numbers((step) => step.rowsOut),
      dropped: numbers((step) => Math.max(0, step.rowsIn - step.rowsOut)),
      [`${WORDS.unit}In`]: numbers((step) => step.lengthIn),
      [`${WORDS.unit}Out`]: numbers((step) => step.lengthOut),
    });
  }

  #ran(): Promise<Run> {
    return (this.#run ??= this.#read());
  }

  async #read(): Promise<Run> {
    const known = this.#dataset.lastRecord(WORDS, this.#column);
    if (known) return known;
    const record = this.#dataset.record(WORDS, this.#column);
    for await (const _ of this.#dataset.run(record)) {
      // Only what the log counts is wanted.
    }
    return record;
  }
}
