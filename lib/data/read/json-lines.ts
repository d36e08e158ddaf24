// JSON lines: a record in each line. A line that is none is kept aside with its number, and the others are read. A file that is
// one array of records, or one record over several lines, is read as such.

import { readFile, stat } from "node:fs/promises";
import { LensorError } from "../../errors.ts";
import { describe } from "../../options.ts";
import type { Row } from "../chunk.ts";
import { type Format, Gathering } from "./format.ts";
import { bytesOf, linesOf } from "./lines.ts";

/** Of a file that is one array: it has to be in memory as a whole. */
const ARRAY_MOST = 256 << 20;

export const jsonLines: Format = async function* (path, settings, log) {
  const gathering = new Gathering();
  const cutShort = (lines: number, problem: string) =>
    log.aside({ file: path, line: lines + 1, problem, text: "" });
  for await (const lines of linesOf(path, settings, cutShort)) {
    for (const { number, text, problem, raw } of lines) {
      // Some writers end a file with an empty line, and some put one between records.
      if (text !== undefined && text.trim() === "") continue;
      const record = text === undefined ? problem! : parsed(text);
      if (typeof record === "string")
        log.aside({ file: path, line: number, problem: record, text: text ?? raw! });
      else gathering.add(record, text!.length);
      if (gathering.isFull) yield gathering.take();
    }
  }
  yield gathering.take();
};

/** The record of a line, or what is wrong with it. */
function parsed(text: string): Row | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The engine's message quotes the text, which is kept beside it.
    return `broken JSON (${(error as Error).message.replace(/, "[\s\S]*/, "").slice(0, 100)})`;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Row;
  return `JSON that is no record but ${describe(value)}`;
}

export const json: Format = async function* (path, settings, log) {
  let start = "";
  for await (const block of bytesOf(path, settings, () => {})) {
    start = block.toString("utf8", 0, 4096).trimStart();
    break;
  }
  // Of a record over several lines the first line is none.
  const line = start.replace(/^\ufeff/, "").split("\n")[0]!;
  const lines = line.startsWith("{") && (line.length === start.length || typeof parsed(line) !== "string");
  if (lines || line === "") {
    yield* jsonLines(path, settings, log);
    return;
  }
  const { size } = await stat(path);
  if (size > ARRAY_MOST)
    throw new LensorError(`${path} is one JSON value of ${size >> 20} MB`, {
      expected: `at most ${ARRAY_MOST >> 20} MB: it has to be in memory as a whole`,
      fix: "Turn it into JSON lines, a record in each line.",
    });
  let list: unknown;
  try {
    list = JSON.parse((await readFile(path, "utf8")).replace(/^\ufeff/, ""));
  } catch (cause) {
    throw new LensorError(`${path} is broken JSON: ${(cause as Error).message.slice(0, 200)}`, {
      cause,
    });
  }
  const gathering = new Gathering();
  for (const [i, row] of (Array.isArray(list) ? list : [list]).entries()) {
    if (typeof row === "object" && row !== null && !Array.isArray(row)) gathering.add(row, 256);
    else {
      const problem = `no record but ${describe(row)}`;
      log.aside({ file: path, line: i + 1, problem, text: JSON.stringify(row) });
    }
    if (gathering.isFull) yield gathering.take();
  }
  yield gathering.take();
};
