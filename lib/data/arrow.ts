// Between values and Arrow: which type a column's values have together, and record batches of them. Numbers are f64, as
// JavaScript's are; whole numbers beyond 2^53 come as bigint. Relies on apache-arrow for memory; reads and writes no file.

import {
  Binary,
  Bool,
  type Data,
  DataType,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  Null,
  RecordBatch,
  Schema,
  Struct,
  TimestampMillisecond,
  Uint8,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import type { Chunk } from "./chunk.ts";

/** Columns and their types, in order. */
export type Types = ReadonlyMap<string, DataType>;

const isMissing = (value: unknown) => value === undefined || value === null;

/** What an Arrow column of this value is. */
export function typeOf(value: unknown, name: string): DataType {
  if (typeof value === "string") return new Utf8();
  if (typeof value === "number") return new Float64();
  if (typeof value === "boolean") return new Bool();
  if (typeof value === "bigint") return new Int64();
  if (value instanceof Date) return new TimestampMillisecond();
  if (value instanceof Int32Array) return listOf(new Int32());
  if (value instanceof Float32Array) return listOf(new Float32());
  if (value instanceof Float64Array) return listOf(new Float64());
  if (Buffer.isBuffer(value)) return new Binary();
  if (value instanceof Uint8Array) return listOf(new Uint8());
  if (Array.isArray(value)) return listOf(together(value, `${name}[]`) ?? new Null());
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value))
    return new Struct(
      Object.entries(value).map(
        ([key, one]) => new Field(key, isMissing(one) ? new Null() : typeOf(one, `${name}.${key}`), true),
      ),
    );
  throw new LensorError(`Column ${name}: Arrow has no type for ${describe(value)}`, {
    expected: "text, numbers, booleans, dates, bytes, or lists and records of them",
    fix: `Turn it into one of these: derive({ ${name}: (row) => String(row.${name}) }).`,
  });
}

/** The type of several values, or undefined where all are missing. */
function together(values: readonly unknown[], name: string): DataType | undefined {
  let type: DataType | undefined;
  let last: unknown;
  for (const value of values) {
    if (isMissing(value)) continue;
    // Most columns are plain text or numbers: the same kind again needs no second look.
    if (type && typeof value === typeof last && typeof value !== "object") continue;
    const own = typeOf(value, name);
    type = type ? joined(type, own, name) : own;
    last = value;
  }
  return type;
}

/** One type that holds what both hold. @throws LensorError where there is none */
export function joined(a: DataType, b: DataType, name: string): DataType {
  if (DataType.isNull(a)) return b;
  if (DataType.isNull(b) || String(a) === String(b)) return a;
  if (DataType.isDictionary(a)) return joined(a.dictionary, b, name);
  if (DataType.isDictionary(b)) return joined(a, b.dictionary, name);
  if (isText(a) && isText(b)) return new Utf8();
  if (isNumber(a) && isNumber(b)) return new Float64();
  if (DataType.isList(a) && DataType.isList(b))
    return listOf(joined(a.children[0]!.type, b.children[0]!.type, `${name}[]`));
  if (DataType.isStruct(a) && DataType.isStruct(b)) {
    const fields = new Map<string, DataType>();
    for (const { name: key, type } of [...a.children, ...b.children] as Field[]) {
      const known = fields.get(key);
      fields.set(key, known ? joined(known, type, `${name}.${key}`) : type);
    }
    return new Struct([...fields].map(([key, type]) => new Field(key, type, true)));
  }
  throw new LensorError(`Column ${name} holds ${words(a)} in some rows and ${words(b)} in others`, {
    expected: "values of one type in a column",
    fix: `Make them one: derive({ ${name}: (row) => String(row.${name}) }).`,
  });
}

const isText = (type: DataType) => DataType.isUtf8(type) || DataType.isLargeUtf8(type);
const isNumber = (type: DataType) => DataType.isInt(type) || DataType.isFloat(type);
const listOf = (type: DataType) => new List(new Field("item", type, true));

/** What a column holds, for people. */
export function words(type: DataType): string {
  if (DataType.isDictionary(type)) return words(type.dictionary);
  if (isText(type)) return "text";
  if (isNumber(type)) return "numbers";
  if (DataType.isBool(type)) return "booleans";
  if (DataType.isList(type)) return "lists";
  if (DataType.isStruct(type)) return "records";
  if (DataType.isTimestamp(type) || DataType.isDate(type)) return "dates";
  return String(type);
}

/** The types of a chunk's columns; Null where it has no value. */
export function typesOf(chunk: Chunk): Types {
  return new Map(
    [...chunk.columns].map(([name, column]) => [
      name,
      column.type ?? together(column.values, name) ?? new Null(),
    ]),
  );
}

/** Types that hold both chunks; a column that only one has is there too. */
export function joinedTypes(a: Types, b: Types): Types {
  const all = new Map(a);
  for (const [name, type] of b) all.set(name, all.has(name) ? joined(all.get(name)!, type, name) : type);
  return all;
}

export function schemaOf(types: Types): Schema {
  return new Schema([...types].map(([name, type]) => new Field(name, type, true)));
}

/** A chunk as Arrow's memory, under a schema that holds it. */
export function batchOf(chunk: Chunk, schema: Schema): RecordBatch {
  const children = schema.fields.map(({ name, type }) => {
    const column = chunk.columns.get(name);
    return dataOf(column ? column.values : new Array(chunk.length).fill(null), type);
  });
  const struct = makeData({ type: new Struct(schema.fields), length: chunk.length, nullCount: 0, children });
  return new RecordBatch(schema, struct);
}

function dataOf(values: readonly unknown[], type: DataType): Data {
  if (DataType.isUtf8(type)) return texts(values, type);
  if (DataType.isList(type)) {
    const lists = numberLists(values, type);
    if (lists) return lists;
  }
  if (DataType.isFloat(type) && type.precision === 2 && values.some((value) => typeof value === "bigint"))
    return dataOf(
      values.map((value) => (typeof value === "bigint" ? Number(value) : value)),
      type,
    );
  if (values.length === 0) return makeData({ type, length: 0 } as never);
  const vector = vectorFromArray(
    values.map((value) => (value === undefined ? null : value)),
    type,
  );
  return vector.data[0]!;
}

function validity(values: readonly unknown[]): { nullCount: number; nullBitmap: Uint8Array | undefined } {
  const nullCount = values.reduce((sum: number, value) => sum + (isMissing(value) ? 1 : 0), 0);
  if (nullCount === 0) return { nullCount, nullBitmap: undefined };
  const nullBitmap = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, i) => {
    if (!isMissing(value)) nullBitmap[i >> 3]! |= 1 << (i & 7);
  });
  return { nullCount, nullBitmap };
}

/** Text by one buffer: Arrow's builder takes several times as long. A lone surrogate becomes U+FFFD. */
function texts(values: readonly unknown[], type: Utf8): Data {
  const valueOffsets = new Int32Array(values.length + 1);
  for (let i = 0, at = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value === "string") at += Buffer.byteLength(value);
    valueOffsets[i + 1] = at;
  }
  const data = Buffer.allocUnsafeSlow(valueOffsets.at(-1)!);
  values.forEach((value, i) => {
    if (typeof value === "string") data.write(value, valueOffsets[i]!);
  });
  return makeData({ type, length: values.length, ...validity(values), valueOffsets, data });
}

/** Lists of typed numbers, such as token ids, by one buffer. */
function numberLists(values: readonly unknown[], type: List): Data | undefined {
  const item = type.children[0]!.type;
  const Numbers = DataType.isInt(item) && item.bitWidth < 64 ? item.ArrayType : undefined;
  if (!Numbers || values.some((value) => !isMissing(value) && !(value instanceof Numbers))) return undefined;
  const lists = values as readonly (Int32Array | null | undefined)[];
  const valueOffsets = new Int32Array(values.length + 1);
  for (const [i, list] of lists.entries()) valueOffsets[i + 1] = valueOffsets[i]! + (list?.length ?? 0);
  const all = new Numbers(valueOffsets.at(-1)!) as Int32Array;
  for (const [i, list] of lists.entries()) if (list) all.set(list, valueOffsets[i]!);
  const child = makeData({ type: item, length: all.length, nullCount: 0, data: all } as never) as Data;
  return makeData({ type, length: values.length, ...validity(values), valueOffsets, child });
}
