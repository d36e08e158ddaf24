// Comma- and tab-separated values (RFC 4180): quoted fields may hold delimiters, line breaks and doubled quotes. A record with
// another number of fields than the first line is kept aside with its line's number.

import { LensorError } from "../../errors.ts";
import { describe } from "../../options.ts";
import type { Row } from "../chunk.ts";
import type { Log } from "../log.ts";
import { CHUNK_ROWS } from "../source.ts";
import { type Format, Gathering, type Settings } from "./format.ts";
import { LINE_MOST, linesOf } from "./lines.ts";

/** A whole number or a decimal as programs write it: no leading zeros, as codes have them, and no more digits than f64 holds. */
const NUMBER = /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?([eE][+-]?\d{1,3})?$/;
const DELIMITERS = [",", "\t", ";", "|"];

interface Record {
  readonly line: number;
  readonly fields: readonly string[];
}

export const csv: Format = (path, settings, log) => separated(path, settings, log, settings.delimiter);
export const tsv: Format = (path, settings, log) =>
  separated(path, settings, log, settings.delimiter ?? "\t");

async function* separated(path: string, settings: Settings, log: Log, delimiter: string | undefined) {
  let names = settings.header;
  let numeric: ReadonlySet<string> | undefined;
  let waiting: Record[] = [];
  const gathering = new Gathering();
  const rows = function* () {
    numeric ??= settings.numbers === false ? new Set() : numericOf(names!, waiting);
    for (const record of waiting) {
      const row = rowOf(names!, record, numeric);
      if (typeof row === "string")
        log.aside({ file: path, line: record.line, problem: row, text: record.fields.join("\t") });
      else gathering.add(row, record.fields.join("").length);
      if (gathering.isFull) yield gathering.take();
    }
    waiting = [];
  };
  for await (const record of records(path, settings, log, delimiter)) {
    if (!names) {
      names = checkHeader(path, record.fields);
      continue;
    }
    waiting.push(record);
    if (waiting.length >= CHUNK_ROWS) yield* rows();
  }
  if (!names)
    throw new LensorError(`${path} is empty`, { expected: "a first line with the names of the columns" });
  yield* rows();
  yield gathering.take();
}

/** Columns all of whose values among the first rows are numbers; a file of texts keeps its texts. */
function numericOf(names: readonly string[], records: readonly Record[]): Set<string> {
  return new Set(
    names.filter((_, i) => {
      const given = records
        .map(({ fields }) => fields[i])
        .filter((field) => field !== undefined && field !== "");
      return given.length > 0 && given.every((field) => NUMBER.test(field!));
    }),
  );
}

/** The row, or what is wrong with the record. An empty field in a column of numbers is null. */
function rowOf(names: readonly string[], { fields }: Record, numeric: ReadonlySet<string>): Row | string {
  if (fields.length !== names.length)
    return `${fields.length} fields where there are ${names.length} columns`;
  const row: Row = {};
  for (const [i, name] of names.entries()) {
    const field = fields[i]!;
    if (!numeric.has(name)) row[name] = field;
    else if (field === "") row[name] = null;
    else if (NUMBER.test(field)) row[name] = Number(field);
    else return `${describe(field)} in ${name}, where the first rows have numbers`;
  }
  return row;
}

function checkHeader(path: string, fields: readonly string[]): readonly string[] {
  const twice = fields.find((name, i) => fields.indexOf(name) !== i);
  if (twice === undefined && !fields.includes("")) return fields;
  throw new LensorError(`${path}: the first line does not name the columns`, {
    expected: "a name for each column, none twice",
    got: twice === undefined ? "one without a name" : `${describe(twice)} twice`,
    fix: `Say the names: data.read(path, { header: ["id", "text"] }).`,
  });
}

/** Records, of one line or of several where a quoted field has line breaks. Empty lines are none. */
async function* records(
  path: string,
  settings: Settings,
  log: Log,
  given: string | undefined,
): AsyncGenerator<Record> {
  let delimiter = given;
  let open = "";
  let opened = 0;
  const cutShort = (lines: number, problem: string) =>
    log.aside({ file: path, line: lines + 1, problem, text: "" });
  for await (const lines of linesOf(path, settings, cutShort))
    for (const { number, text, problem, raw } of lines) {
      if (text === undefined) {
        log.aside({ file: path, line: number, problem: problem!, text: raw! });
        continue;
      }
      if (open === "" && text === "") continue;
      delimiter ??= DELIMITERS.reduce((best, one) =>
        text.split(one).length > text.split(best).length ? one : best,
      );
      if (open === "") opened = number;
      const whole = open === "" ? text : `${open}\n${text}`;
      const fields = whole.includes('"') ? quoted(whole, delimiter) : whole.split(delimiter);
      if (fields) {
        open = "";
        yield { line: opened, fields };
      } else if (whole.length > LINE_MOST || number - opened > 100_000)
        throw new LensorError(`${path}: a quote that opens at line ${opened} is never closed`);
      else open = whole;
    }
  if (open !== "")
    log.aside({ file: path, line: opened, problem: "a quote that is never closed", text: open });
}

/** Fields of a record with quotes, or undefined where the last quote is still open. */
function quoted(text: string, delimiter: string): string[] | undefined {
  const fields: string[] = [];
  for (let at = 0; ; ) {
    let field = "";
    if (text[at] === '"') {
      for (at++; ; ) {
        const end = text.indexOf('"', at);
        if (end < 0) return undefined;
        field += text.slice(at, end);
        at = end + 1;
        if (text[at] !== '"') break;
        field += '"';
        at++;
      }
    }
    const end = text.indexOf(delimiter, at);
    field += text.slice(at, end < 0 ? text.length : end);
    fields.push(field);
    if (end < 0) return fields;
    at = end + delimiter.length;
  }
}
