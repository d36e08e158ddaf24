// `write(path)`: all rows as one file, in the format of its ending, and beside it a card that says what is in it and how it came
// about. The file stands under its name whole or not at all: it is written beside it, and renamed at the end.

import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { RecordBatchFileWriter } from "apache-arrow";
import { LensorError } from "../../errors.ts";
import { stopIfInterrupted } from "../../host.ts";
import { checkFlag, checkNames, describe } from "../../options.ts";
import { batchOf, joinedTypes, schemaOf, type Types, typesOf } from "../arrow.ts";
import type { Chunk } from "../chunk.ts";
import type { Dataset } from "../dataset.ts";
import type { Record as Run } from "../pipeline.ts";
import { type FormatName, formatOf } from "../read/format.ts";
import { Shelf } from "../shelf.ts";
import { cardOf } from "./card.ts";
import { parquetBytes } from "./parquet.ts";
import { csvBytes, jsonBytes, textBytes } from "./text.ts";

export interface WriteOptions {
  /** Whether `PATH.md` is written too; true by default. */
  card?: boolean;
}

/** A file that was written. */
export interface Written {
  /** Of the file. */
  readonly path: string;
  /** That were written. */
  readonly rows: number;
  /** Of the file. */
  readonly bytes: number;
  /** Of the file. */
  readonly sha256: string;
}

export async function write(dataset: Dataset, path: string, options: WriteOptions = {}): Promise<Written> {
  checkNames("dataset.write", options, ["card"]);
  const { card = true } = options;
  checkFlag("dataset.write", "card", card);
  if (typeof path !== "string" || path === "")
    throw new LensorError("dataset.write takes a path", { expected: `"clean.parquet"`, got: describe(path) });
  const format = formatOf(path);
  const part = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  const record = dataset.record();
  try {
    await mkdir(dirname(path), { recursive: true });
    await put(dataset.run(record), format, part, /\.gz(ip)?$/i.test(path));
    const { size: bytes } = await stat(part);
    const sha256 = await hashOf(part);
    const written = { path, rows: record.stages.at(-1)!.after.rows, bytes, sha256 };
    if (card) {
      await writeFile(`${part}.md`, await cardOf(dataset, written, record));
      await rename(`${part}.md`, `${path}.md`);
    }
    await flush(part);
    await rename(part, path);
    warnOfBroken(record);
    return written;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (cause instanceof LensorError || !code?.startsWith("E")) throw cause;
    throw new LensorError(`${path} could not be written: ${message}`, {
      fix:
        code === "ENOSPC" ? "The disk is full: make room. Nothing is left of what was written." : undefined,
      cause,
    });
  } finally {
    await Promise.all([part, `${part}.md`].map((one) => rm(one, { force: true }).catch(() => {})));
  }
}

async function put(
  chunks: AsyncIterable<Chunk>,
  format: FormatName,
  path: string,
  zip: boolean,
): Promise<void> {
  const out = () => createWriteStream(path, { flags: "wx" });
  if (format === "parquet" || format === "arrow") {
    if (zip)
      throw new LensorError(`A ${format} file is not gzipped`, {
        fix: "Leave out .gz: Parquet is compressed inside.",
      });
    await typed(chunks, async (batches, schema) => {
      if (format === "parquet") await pipeline(Readable.from(parquetBytes(batches, schema)), out());
      else await pipeline(Readable.from(batches), RecordBatchFileWriter.throughNode(), out());
    });
    return;
  }
  const bytes =
    format === "csv" || format === "tsv"
      ? csvBytes(chunks, format === "csv" ? "," : "\t")
      : format === "txt"
        ? textBytes(chunks)
        : jsonBytes(chunks, format === "json");
  if (zip) await pipeline(Readable.from(bytes), createGzip(), out());
  else await pipeline(Readable.from(bytes), out());
}

type Batches = AsyncGenerator<ReturnType<typeof batchOf>>;
type Schema = ReturnType<typeof schemaOf>;

/** These formats say what columns hold before the first row: all rows are seen before any is written. */
async function typed(
  chunks: AsyncIterable<Chunk>,
  put: (batches: Batches, schema: Schema) => Promise<void>,
): Promise<void> {
  const shelf = new Shelf();
  try {
    let types: Types = new Map();
    let count = 0;
    for await (const chunk of chunks) {
      types = joinedTypes(types, typesOf(chunk));
      count = (await shelf.put(chunk)) + 1;
    }
    const schema = schemaOf(types);
    const batches = async function* () {
      for (let i = 0; i < count; i++) {
        stopIfInterrupted();
        yield batchOf(await shelf.take(i), schema);
      }
    };
    await put(batches(), schema);
  } finally {
    await shelf.close();
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of createReadStream(path)) hash.update(block as Buffer);
  return hash.digest("hex");
}

/** To the disk itself, so that a power cut after the renaming leaves no empty file. */
async function flush(path: string): Promise<void> {
  const file = await open(path, "r+");
  await file.sync().finally(() => file.close());
}

/** Who only writes would not hear of what was kept aside. */
export function warnOfBroken({ stages }: Run): void {
  const { broken, brokenCount } = stages[0]!.log;
  const [first] = broken;
  if (first)
    console.warn(
      `${brokenCount} ${brokenCount === 1 ? "piece" : "pieces"} of the input could not be read and were kept aside: see report().broken(). The first: ${first.file}, line ${first.line}: ${first.problem}.`,
    );
}
