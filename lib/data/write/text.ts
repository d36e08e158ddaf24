// Rows as text: JSON lines or an array, comma- or tab-separated values, plain lines. A chunk at a time.

import { LensorError } from "../../errors.ts";
import type { Chunk } from "../chunk.ts";
import { inWords } from "../log.ts";

export async function* jsonBytes(chunks: AsyncIterable<Chunk>, asArray: boolean): AsyncGenerator<Buffer> {
  let first = true;
  if (asArray) yield Buffer.from("[");
  for await (const chunk of chunks) {
    const lines = chunk.rows().map((row) => JSON.stringify(row, plain));
    const text = asArray ? `${first ? "\n" : ",\n"}${lines.join(",\n")}` : `${lines.join("\n")}\n`;
    first = false;
    yield Buffer.from(text);
  }
  if (asArray) yield Buffer.from("\n]\n");
}

/** What JSON has no word for: whole numbers beyond f64 as text, typed numbers as a list. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>);
  return value;
}

export async function* csvBytes(chunks: AsyncIterable<Chunk>, delimiter: string): AsyncGenerator<Buffer> {
  let names: readonly string[] | undefined;
  const line = (fields: readonly string[]) =>
    `${fields.map((field) => (/["\n\r]/.test(field) || field.includes(delimiter) ? `"${field.replaceAll('"', '""')}"` : field)).join(delimiter)}\n`;
  for await (const chunk of chunks) {
    if (!names) yield Buffer.from(line((names = chunk.names)));
    const stranger = chunk.names.find((name) => !names!.includes(name));
    if (stranger !== undefined)
      throw new LensorError(
        `dataset.write: column ${JSON.stringify(stranger)} comes after the first rows were written`,
        {
          expected: names.join(", "),
          fix: "CSV names its columns at the beginning: select(...) them, or write JSON lines or Parquet.",
        },
      );
    const columns = names.map((name) => chunk.columns.get(name)?.values);
    const lines = Array.from({ length: chunk.length }, (_, i) =>
      line(
        columns.map((values) => (values?.[i] === undefined || values[i] === null ? "" : worded(values[i]))),
      ),
    );
    yield Buffer.from(lines.join(""));
  }
}

function worded(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "object") return JSON.stringify(value, plain);
  return typeof value === "string" ? value : inWords(value);
}

export async function* textBytes(chunks: AsyncIterable<Chunk>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    const lines = chunk.texts("text", "dataset.write").map((text) => {
      if (text === undefined || /[\n\r]/.test(text))
        throw new LensorError("dataset.write: a row is not one line of text", {
          expected: "text without line breaks: a line of the file is a row",
          fix: "Write .jsonl or .parquet.",
        });
      return text;
    });
    yield Buffer.from(`${lines.join("\n")}\n`);
  }
}
