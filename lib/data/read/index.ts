// `data.read(files)`: rows of many files in a row, in one set of columns. Looks at names when called, at contents when rows are
// asked for.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { DataType } from "apache-arrow";
import { LensorError } from "../../errors.ts";
import { stopIfInterrupted } from "../../host.ts";
import { checkChoice, checkFlag, checkNames, describe } from "../../options.ts";
import { typeOf, words } from "../arrow.ts";
import { Chunk, type Column } from "../chunk.ts";
import { hashOf } from "../fingerprint.ts";
import type { Source } from "../source.ts";
import { arrow } from "./arrow.ts";
import { csv, tsv } from "./csv.ts";
import { filesOf } from "./files.ts";
import {
  FORMATS,
  type Format,
  type FormatName,
  formatOf,
  type ReadOptions,
  type Settings,
} from "./format.ts";
import { json, jsonLines } from "./json-lines.ts";
import { parquet } from "./parquet.ts";
import { text } from "./text.ts";

/** Rows that a chunk has at least, unless it is the last. */
const SMALL = 64;

const READERS: Readonly<Record<FormatName, Format>> = {
  ...{ parquet, jsonl: jsonLines, json, csv, tsv, arrow, txt: text },
};

export function filesSource(given: string | readonly string[], options: ReadOptions = {}): Source {
  const settings = checked(options);
  const files = filesOf(given);
  const formats = files.map((file) => settings.format ?? formatOf(file));
  return {
    name: typeof given === "string" ? given : given.length === 1 ? given[0]! : `${files.length} files`,
    columns: formats.every((format) => format === "txt")
      ? settings.by === "file"
        ? ["file", "text"]
        : ["text"]
      : undefined,
    async fingerprint() {
      const contents: string[] = [];
      for (const file of files) contents.push(await hashOfFile(file));
      return hashOf({ contents, formats, options: { ...options } });
    },
    async *read(log) {
      const seen = new Seen();
      // Files of a row or two come together: a step's own cost is that of a chunk.
      let small: Chunk[] = [];
      let rows = 0;
      for (const [i, file] of files.entries()) {
        const chunks = READERS[formats[i]!](file, settings, log);
        for await (const given of opening(file, chunks)) {
          if (given.length === 0) continue;
          const chunk = seen.padded(given, file);
          rows += chunk.length;
          small.push(chunk);
          if (rows < SMALL) continue;
          yield Chunk.concat(small);
          [small, rows] = [[], 0];
        }
      }
      if (rows > 0) yield Chunk.concat(small);
    },
  };
}

function checked(options: ReadOptions): Settings {
  checkNames("data.read", options, ["format", "encoding", "damaged", "delimiter", "header", "numbers", "by"]);
  const { format, encoding, damaged = "refuse", delimiter, header, numbers, by } = options;
  if (format !== undefined) checkChoice("data.read", "format", format, FORMATS);
  checkChoice("data.read", "damaged", damaged, ["refuse", "keep"]);
  if (by !== undefined) checkChoice("data.read", "by", by, ["line", "paragraph", "file"]);
  if (numbers !== undefined) checkFlag("data.read", "numbers", numbers);
  const wrong = (name: string, expected: string, got: unknown) =>
    new LensorError(`data.read: ${name} is wrong`, { expected, got: describe(got) });
  if (encoding !== undefined && typeof encoding !== "string")
    throw wrong("encoding", `a name such as "latin1"`, encoding);
  if (delimiter !== undefined && (typeof delimiter !== "string" || !/^[^"\n\r]$/u.test(delimiter)))
    throw wrong("delimiter", "one character", delimiter);
  if (header !== undefined && !(Array.isArray(header) && header.every((name) => typeof name === "string")))
    throw wrong("header", "a list of names", header);
  return { ...options, damaged };
}

/** What the file system says of a file becomes an error that says what to do. */
async function* opening(file: string, chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  try {
    yield* chunks;
  } catch (cause) {
    if (cause instanceof LensorError || !(cause as { syscall?: string }).syscall) throw cause;
    throw new LensorError(`data.read: ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** The columns of all files so far: a chunk that lacks one has nothing there, and none changes its kind on the way. */
class Seen {
  readonly #columns = new Map<string, { kind: string | undefined; file: string }>();

  padded(chunk: Chunk, file: string): Chunk {
    let out = chunk;
    for (const name of this.#columns.keys())
      if (!chunk.columns.has(name)) out = out.with(name, new Array(chunk.length).fill(undefined));
    for (const [name, column] of chunk.columns) {
      const kind = kindOf(column);
      const known = this.#columns.get(name);
      if (!known?.kind) this.#columns.set(name, { kind, file });
      else if (kind && kind !== known.kind && known.file !== file)
        throw new LensorError(
          `data.read: column ${name} holds ${known.kind} in ${known.file} and ${kind} in ${file}`,
          {
            expected: "columns of one kind in all files",
            fix: `Read them apart, bring the column into one form with derive, and put them together with concat.`,
          },
        );
    }
    return out;
  }
}

function kindOf(column: Column): string | undefined {
  const { type } = column;
  if (type) return DataType.isNull(type) ? undefined : words(type);
  const value = column.values.find((one) => one !== undefined && one !== null);
  return value === undefined ? undefined : words(typeOf(value, ""));
}

async function hashOfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of createReadStream(file, { highWaterMark: 1 << 20 })) {
    stopIfInterrupted();
    hash.update(block as Buffer);
  }
  return hash.digest("hex");
}
