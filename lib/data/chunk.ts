// Some hundred rows on their way through the steps: columns of values, decoded from Arrow when first looked at and never twice.
// Immutable: every method gives a new chunk that shares what did not change. No I/O.

import type { DataType, Vector } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { near } from "../near.ts";

/** A row as a plain object: what its columns hold, by their names. */
// biome-ignore lint/suspicious/noExplicitAny: a row's fields are the data's own; who knows them says so with from<Row>().
export type Row = Record<string, any>;

/** How the length of a text is counted. */
export interface Measure {
  readonly unit: string;
  of(text: string): number;
}

/** One column: Arrow's own memory with the rows that are left, or values that a step made. */
export class Column {
  /** Of values whose Arrow type is known, from the data's own schema. */
  readonly type: DataType | undefined;
  readonly #source: { vector: Vector; picked: readonly number[] | undefined } | undefined;
  #values: readonly unknown[] | undefined;
  #measured: { measure: Measure; lengths: Float64Array } | undefined;

  private constructor(
    type: DataType | undefined,
    source: { vector: Vector; picked: readonly number[] | undefined } | undefined,
    values: readonly unknown[] | undefined,
  ) {
    this.type = type;
    this.#source = source;
    this.#values = values;
  }

  /** Of a column of an Arrow table, decoded when first looked at. */
  static ofVector(vector: Vector): Column {
    return new Column(vector.type, { vector, picked: undefined }, undefined);
  }

  /** Of values in memory. */
  static ofValues(values: readonly unknown[], type?: DataType): Column {
    return new Column(type, undefined, values);
  }

  /** Plain JavaScript values, a row each; undefined where a row has none. */
  get values(): readonly unknown[] {
    if (this.#values) return this.#values;
    const { vector, picked } = this.#source!;
    const values: unknown[] = new Array(picked?.length ?? vector.length);
    for (let i = 0; i < values.length; i++) values[i] = plain(vector.get(picked ? picked[i]! : i));
    return (this.#values = values);
  }

  /** The rows at these places, in this order. */
  pick(kept: readonly number[]): Column {
    const values = this.#values && kept.map((i) => this.#values![i]);
    const picked = this.#source?.picked;
    const source =
      values || !this.#source
        ? undefined
        : { vector: this.#source.vector, picked: picked ? kept.map((i) => picked[i]!) : kept };
    const column = new Column(this.type, source, values);
    if (this.#measured) {
      const { measure, lengths } = this.#measured;
      column.#measured = { measure, lengths: Float64Array.from(kept, (i) => lengths[i]!) };
    }
    return column;
  }

  /** Of each text, counted once however many steps it passes; 0 of what is no text. */
  lengths(measure: Measure): Float64Array {
    if (this.#measured?.measure !== measure) {
      const lengths = Float64Array.from(this.values, (value) =>
        typeof value === "string" ? measure.of(value) : 0,
      );
      this.#measured = { measure, lengths };
    }
    return this.#measured!.lengths;
  }
}

/**
 * Some hundred rows on their way through the steps: columns of values, decoded from Arrow when first looked at. Immutable:
 * every method gives a new chunk that shares what did not change.
 */
export class Chunk {
  readonly length: number;
  /** By name, in order of first appearance. */
  readonly columns: ReadonlyMap<string, Column>;

  constructor(columns: ReadonlyMap<string, Column>, length: number) {
    this.columns = columns;
    this.length = length;
  }

  /** Columns in order of first appearance; a row without one has undefined there. */
  static ofRows(rows: readonly Row[]): Chunk {
    const names = new Set<string>();
    for (const row of rows) for (const name of Object.keys(row)) names.add(name);
    const columns = new Map<string, Column>();
    for (const name of names) columns.set(name, Column.ofValues(rows.map((row) => own(row, name))));
    return new Chunk(columns, rows.length);
  }

  /** One after the other; a column that a chunk lacks has undefined in its rows. */
  static concat(chunks: readonly Chunk[]): Chunk {
    if (chunks.length === 1) return chunks[0]!;
    const columns = new Map<string, Column>();
    for (const name of new Set(chunks.flatMap(({ names }) => names))) {
      const parts = chunks.map((chunk) => chunk.columns.get(name));
      const types = new Set(parts.map((part) => String(part?.type)));
      const values = chunks.flatMap(
        (chunk, i) => parts[i]?.values ?? new Array(chunk.length).fill(undefined),
      );
      columns.set(name, Column.ofValues(values, types.size === 1 ? parts[0]?.type : undefined));
    }
    return new Chunk(
      columns,
      chunks.reduce((sum, { length }) => sum + length, 0),
    );
  }

  /** Of its columns, in order. */
  get names(): string[] {
    return [...this.columns.keys()];
  }

  /** All values of a column. @throws LensorError naming near columns where there is none */
  column(name: string, step: string): readonly unknown[] {
    const column = this.columns.get(name);
    if (column) return column.values;
    if (this.length === 0) return [];
    throw noColumn(name, this.names, step);
  }

  /** The texts of a column: undefined where a row has none. @throws LensorError where no row has that column */
  texts(name: string, step: string): readonly (string | undefined)[] {
    return this.column(name, step).map((value) => (typeof value === "string" ? value : undefined));
  }

  /** About what its values take in memory, in bytes. */
  get bytes(): number {
    let bytes = 0;
    for (const { values } of this.columns.values())
      for (const value of values)
        if (typeof value === "string") bytes += 16 + value.length;
        else if (ArrayBuffer.isView(value)) bytes += 64 + value.byteLength;
        else bytes += typeof value === "object" && value !== null ? 200 : 16;
    return bytes;
  }

  /** One row as a plain object, without what it does not have. */
  row(i: number): Row {
    const row: Row = {};
    for (const [name, column] of this.columns) {
      const value = column.values[i];
      if (value !== undefined) put(row, name, value);
    }
    return row;
  }

  /** All rows as plain objects. */
  rows(): Row[] {
    return Array.from({ length: this.length }, (_, i) => this.row(i));
  }

  /** The rows at these places, in this order. */
  pick(kept: readonly number[]): Chunk {
    if (kept.length === this.length && kept.every((at, i) => at === i)) return this;
    return new Chunk(
      mapped(this.columns, (column) => column.pick(kept)),
      kept.length,
    );
  }

  /** The rows from `begin` up to `end`, which is left out. */
  slice(begin: number, end: number): Chunk {
    const [from, to] = [Math.min(begin, this.length), Math.min(end, this.length)];
    return this.pick(Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i));
  }

  /** A column put in place, or added at the end. */
  with(name: string, values: readonly unknown[], type?: DataType): Chunk {
    return new Chunk(new Map(this.columns).set(name, Column.ofValues(values, type)), this.length);
  }

  /** These columns alone, in this order. */
  only(names: readonly string[], step: string): Chunk {
    const columns = new Map<string, Column>();
    for (const name of names) {
      const column = this.columns.get(name);
      if (!column) throw noColumn(name, this.names, step);
      columns.set(name, column);
    }
    return new Chunk(columns, this.length);
  }
}

export function noColumn(name: string, names: readonly string[], step: string): LensorError {
  return new LensorError(`${step}: there is no column ${JSON.stringify(name.slice(0, 100))}`, {
    expected: names.length ? `one of ${names.slice(0, 30).join(", ")}` : "a column, and there is none at all",
    fix: near(name, names),
  });
}

/** A column may be called what it likes: `__proto__` is one like others. */
function put(row: Row, name: string, value: unknown): void {
  if (name !== "__proto__") row[name] = value;
  else Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
}

function own(row: Row, name: string): unknown {
  return Object.hasOwn(row, name) ? row[name] : undefined;
}

function mapped(
  columns: ReadonlyMap<string, Column>,
  change: (column: Column) => Column,
): ReadonlyMap<string, Column> {
  return new Map([...columns].map(([name, column]) => [name, change(column)]));
}

/** Arrow's own lists and records as JavaScript's: typed arrays of numbers, arrays, plain objects. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value) || value instanceof Date) return value;
  const list = value as { toArray?: () => ArrayLike<unknown>; toJSON?: () => Row };
  if (typeof list.toArray === "function" && "length" in value) {
    const items = list.toArray();
    return ArrayBuffer.isView(items) ? items : Array.from(items, plain);
  }
  if (typeof list.toJSON === "function")
    return Object.fromEntries(Object.entries(list.toJSON()).map(([name, field]) => [name, plain(field)]));
  return value;
}
