// A dataset that a person holds: where rows come from and the steps they will go through, one line for each verb. Lazy: nothing
// is read before rows, a table or a report are asked for, and every reading starts anew. Every verb is a file of its own.

import type { Table } from "apache-arrow";
import { packageVersion } from "../package.ts";
import { datasetCard } from "../plot/dataset-card.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type CacheOptions, cachedSource } from "./cache.ts";
import type { Chunk, Measure, Row } from "./chunk.ts";
import { type DecontaminateOptions, decontaminate } from "./decontaminate.ts";
import { type DedupOptions, dedup } from "./dedup/dedup.ts";
import { type Duplicates, findDuplicates } from "./dedup/duplicates.ts";
import { hashOf } from "./fingerprint.ts";
import { type NormalizeOptions, normalize } from "./normalize.ts";
import { newRecord, type Record as Run, run, WORDS } from "./pipeline.ts";
import { previewOf } from "./preview.ts";
import { DataReport, type ReportOptions } from "./report.ts";
import type { Source } from "./source.ts";
import { type Filter, type Redactor, redactStep, type Step } from "./step.ts";
import { tableOf } from "./to-arrow.ts";
import { type BatchOptions, batches, type TokenBatches } from "./tokens/batches.ts";
import { type PackOptions, pack } from "./tokens/pack.ts";
import { type TokenizeOptions, tokenize } from "./tokens/tokenize.ts";
import { concatSource, type JoinOptions, join } from "./verbs/concat.ts";
import { filter, type Keep } from "./verbs/filter.ts";
import { type Derivations, derive, map } from "./verbs/map.ts";
import { select, take } from "./verbs/select.ts";
import { type SeedOptions, sample, shuffle } from "./verbs/shuffle.ts";
import { type SortKey, type SortOptions, sort } from "./verbs/sort.ts";
import { split } from "./verbs/split.ts";
import { type WriteOptions, type Written, write } from "./write/index.ts";

/** What made a dataset: enough to make it again. */
export interface DataProvenance {
  /** Of the source's contents and every step's options; a function counts by its text alone. */
  readonly fingerprint: string;
  readonly source: string;
  readonly steps: readonly { readonly name: string; readonly options: Readonly<Record<string, unknown>> }[];
  readonly versions: { readonly lensor: string };
}

/**
 * Rows, and the steps that they will go through. Lazy: nothing is read before rows, a table or a report are asked for, and
 * every reading starts anew. Each method gives a new dataset; made by `data.read`, `data.from`, `data.fromArrow` and
 * `data.sql`.
 */
export class Dataset<R extends Row = Row> {
  /** Where rows come from. */
  readonly source: Source;
  /** What they go through, in order. */
  readonly steps: readonly Step[];
  /** Names of the columns, where they are known before anything is read. */
  readonly columns: readonly string[] | undefined;
  #last: Run | undefined;

  /** @internal Use `data.read`, `data.from` or `data.fromArrow`. */
  constructor(source: Source, steps: readonly Step[] = []) {
    this.source = source;
    this.steps = steps;
    this.columns = steps.reduce<readonly string[] | undefined>(
      (before, step) => before && (step.columns ? step.columns(before) : before),
      source.columns,
    );
  }

  /** One more stage: what every verb and every method of curation does. */
  step<S extends Row = R>(step: Step): Dataset<S> {
    return new Dataset<S>(this.source, [...this.steps, step]);
  }

  /** The rows of which a function is true, or that a filter such as `quality.gopher()` finds no fault with. */
  filter(keep: Keep<R> | Filter): Dataset<R> {
    return this.step(filter(keep));
  }

  /** One way to write what looks the same: Unicode, white space, control characters. */
  normalize(options?: NormalizeOptions): Dataset<R> {
    return this.step(normalize(options));
  }

  /** Parts of the text replaced: `redact(pii())`. */
  redact(redactor: Redactor): Dataset<R> {
    return this.step(redactStep(redactor));
  }

  /** Of texts that are the same or nearly, the first alone. Reads all rows before it gives the first. */
  dedup(options?: DedupOptions): Dataset<R> {
    return this.step(dedup(options));
  }

  /** The clusters that `dedup` with these options would leave one text of, to be looked at. */
  duplicates(options?: DedupOptions): Promise<Duplicates> {
    return findDuplicates(this.chunks(), options);
  }

  /** Without texts that share a row of words with what is kept for tests. */
  decontaminate(options: DecontaminateOptions): Dataset<R> {
    return this.step(decontaminate(options));
  }

  /** Each row replaced by what a function makes of it. */
  map<S extends Row>(change: (row: R) => S | Promise<S>): Dataset<S> {
    return this.step<S>(map(change));
  }

  /** Columns added or replaced: `derive({ length: (row) => row.text.length })`. */
  derive<D extends Derivations<R>>(
    columns: D,
  ): Dataset<Omit<R, keyof D> & { [K in keyof D]: Awaited<ReturnType<D[K]>> }> {
    return this.step(derive(columns));
  }

  /** These columns alone, in this order. @throws LensorError with near names for one that is not there */
  select<K extends keyof R & string>(...names: K[]): Dataset<Pick<R, K>> {
    return this.step(select(names));
  }

  /** The first rows. No more is read than they need. */
  take(count: number): Dataset<R> {
    return this.step(take(count));
  }

  /** Some of the rows, in their own order: a number of them, or a share between 0 and 1. */
  sample(count: number, options?: SeedOptions): Dataset<R> {
    return this.step(sample(count, options));
  }

  /** All rows in another order, which belongs to the seed. */
  shuffle(options?: SeedOptions): Dataset<R> {
    return this.step(shuffle(options));
  }

  /** Rows in the order of a column, or of what a function says of them. */
  sort(by: (keyof R & string) | ((row: R) => SortKey), options?: SortOptions): Dataset<R> {
    return this.step(sort(by, options));
  }

  /** Parts that share no row: `const { train, test } = dataset.split({ train: 0.9, test: 0.1 })`. */
  split<K extends string>(shares: Readonly<Record<K, number>>, options?: SeedOptions): Record<K, Dataset<R>> {
    const steps = Object.entries<Step>(split(shares, options));
    return Object.fromEntries(steps.map(([name, step]) => [name, this.step(step)])) as Record<K, Dataset<R>>;
  }

  /** The rows of others after its own. */
  concat(...others: Dataset[]): Dataset {
    return new Dataset(concatSource([this, ...others]));
  }

  /** Columns of another dataset, where a column agrees: `answers.join(questions, { on: "id" })`. */
  join<S extends Row>(other: Dataset<S>, options: JoinOptions): Dataset<R & S> {
    return this.step(join(other, options));
  }

  /**
   * The same rows, kept on disk once they are made: the next reading, of this session or another, begins from there. By contents: a
   * changed source or option makes it anew. @throws LensorError after a function, whose surroundings have no name
   */
  cache(options?: CacheOptions): Dataset<R> {
    return new Dataset<R>(cachedSource(this, options));
  }

  /** Token ids and what is to be learnt of them, in place of text, conversations, or prompts with completions. */
  tokenize(tokenizer: Tokenizer, options?: TokenizeOptions): Dataset {
    return this.step(tokenize(tokenizer, options));
  }

  /** Several tokenized sequences in each row of at most `length` tokens; none sees another. */
  pack(options: PackOptions): Dataset {
    return this.step(pack(options));
  }

  /** Tokenized rows to learn from, in an order that belongs to the seed. */
  batches(options?: BatchOptions): TokenBatches {
    return batches(this, options);
  }

  /** The rows, one after the other; memory stays flat. */
  async *[Symbol.asyncIterator](): AsyncGenerator<R> {
    for await (const chunk of this.chunks()) for (const row of chunk.rows()) yield row as R;
  }

  /** The rows, some hundred at a time, as columns. */
  async *chunks(): AsyncGenerator<Chunk> {
    yield* this.run(this.record());
  }

  /** All rows as an apache-arrow Table. */
  toArrow(): Promise<Table> {
    return tableOf(this.chunks(), this.columns);
  }

  /** All rows as one file, Parquet, JSON lines, CSV, Arrow or text by its ending, with a card beside it. Whole or not at all. */
  write(path: string, options?: WriteOptions): Promise<Written> {
    return write(this, path, options);
  }

  /** What each step dropped and why. Reads everything once, unless that has just been done. */
  report(options?: ReportOptions): DataReport {
    return new DataReport(this, options);
  }

  /** Names this data by its contents: see DataProvenance. Reads the sources once, to hash them. */
  async fingerprint(): Promise<string> {
    const steps: object[] = [];
    for (const [i, one] of this.described().entries()) {
      const own = await this.steps[i]!.fingerprint?.();
      steps.push(own === undefined ? one : { ...one, fingerprint: own });
    }
    return hashOf({ source: await this.source.fingerprint(), steps });
  }

  async provenance(): Promise<DataProvenance> {
    return {
      fingerprint: await this.fingerprint(),
      source: this.source.name,
      steps: this.described(),
      versions: { lensor: packageVersion() },
    };
  }

  /** A new run's memory. @internal */
  record(measure: Measure = WORDS, column = "text"): Run {
    return newRecord(this.source, this.steps, measure, column);
  }

  /** @internal */
  async *run(record: Run): AsyncGenerator<Chunk> {
    try {
      yield* run(this.source, this.steps, record);
    } finally {
      if (record.complete) this.#last = record;
    }
  }

  /** Of the last reading that came to its end, if it counted the same. @internal */
  lastRecord(measure: Measure, column: string): Run | undefined {
    const last = this.#last;
    return last?.measure === measure && last.column === column ? last : undefined;
  }

  async [Symbol.for("Jupyter.display")]() {
    const { rows, complete, kinds } = await previewOf(this);
    const columns = rows.names.map((name) => ({
      name,
      kind: kinds.get(name)!,
      values: rows.columns.get(name)!.values,
    }));
    const steps = this.steps.map(({ name }) => name);
    return datasetCard({ title: this.source.name, steps, columns, rows: rows.length, complete });
  }

  private described(): DataProvenance["steps"] {
    return this.steps.map(({ name, options }) => ({ name, options }));
  }
}
