// Every format against what was written, by other programs' libraries where there are any; and every way in which a file can
// be broken.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Table, tableFromArrays, tableToIPC } from "apache-arrow";
import { Table as ParquetTable, writeParquet } from "parquet-wasm";
import { afterAll, describe, expect, it } from "vitest";
import { data, type ReadOptions, type Row } from "../../../lib/index.ts";

const folder = mkdtempSync(join(tmpdir(), "lensor-read-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** Writes a file of the ending and says where. */
function file(ending: string, contents: string | Uint8Array): string {
  const path = join(folder, `${count++}.${ending}`);
  writeFileSync(path, contents);
  return path;
}

async function rowsOf(path: string | string[], options?: ReadOptions): Promise<Row[]> {
  const out: Row[] = [];
  for await (const row of data.read(path, options)) out.push(row);
  return out;
}

const parquetOf = (table: Table) => writeParquet(ParquetTable.fromIPCStream(tableToIPC(table, "stream")));
const records = [
  { id: 1, text: "plain" },
  { id: 2, text: 'with "quotes", commas\nand a line break' },
  { id: 3, text: "ünï😀" },
];
const jsonl = records.map((row) => JSON.stringify(row)).join("\n");
const table = tableFromArrays({
  id: Float64Array.from(records, ({ id }) => id),
  text: records.map(({ text }) => text),
});

describe("data.read", () => {
  it.each([
    ["jsonl", jsonl],
    ["jsonl", `${jsonl}\n`.replaceAll("\n", "\r\n")],
    ["jsonl", `\ufeff${jsonl}\n\n`],
    ["jsonl", Buffer.from(`\ufeff${jsonl}`, "utf16le")],
    ["jsonl.gz", gzipSync(jsonl)],
    ["jsonl.gz", Buffer.concat([gzipSync(jsonl.slice(0, 30)), gzipSync(jsonl.slice(30))])],
    ["json", JSON.stringify(records)],
    ["json", jsonl],
    ["csv", 'id,text\n1,plain\n2,"with ""quotes"", commas\nand a line break"\n3,ünï😀\n'],
    ["csv", 'id;text\r\n1;plain\r\n2;"with ""quotes"", commas\nand a line break"\r\n3;ünï😀'],
    ["tsv", 'id\ttext\n1\tplain\n2\t"with ""quotes"", commas\nand a line break"\n3\tünï😀'],
    ["parquet", parquetOf(table)],
    ["arrow", tableToIPC(table, "file")],
    ["arrows", tableToIPC(table, "stream")],
  ])("reads %s (%#)", async (ending, contents) => {
    expect(await rowsOf(file(ending, contents))).toEqual(records);
  });

  it("reads text by lines, paragraphs or as a whole", async () => {
    const path = file("txt", "one\ntwo\n\n\nthree\n");
    expect((await rowsOf(path)).map(({ text }) => text)).toEqual(["one", "two", "", "", "three"]);
    expect((await rowsOf(path, { by: "paragraph" })).map(({ text }) => text)).toEqual(["one\ntwo", "three"]);
    expect((await rowsOf(path, { by: "file" })).map(({ text }) => text)).toEqual(["one\ntwo\n\n\nthree"]);
  });

  it("reads a record that stands over several lines", async () => {
    expect(await rowsOf(file("json", JSON.stringify(records[1], null, 2)))).toEqual([records[1]]);
    expect(await rowsOf(file("json", JSON.stringify({ text: "x".repeat(10_000) })))).toHaveLength(1);
    await expect(rowsOf(file("json", '{\n "a": 1,\n "b"'))).rejects.toThrow(/is broken JSON/);
  });

  it("finds files by globs and lists, in the order of their names", async () => {
    for (const name of ["a/1.txt", "a/2.txt", "a/b/3.txt", "c/4.md", "c/.5.txt"]) {
      mkdirSync(join(folder, "glob", name, ".."), { recursive: true });
      writeFileSync(join(folder, "glob", name), name);
    }
    const found = async (...patterns: string[]) =>
      (await rowsOf(patterns.map((one) => join(folder, "glob", one)))).map(({ text }) => text);
    expect(await found("*/*.txt")).toEqual(["a/1.txt", "a/2.txt"]);
    expect(await found("**/*.txt")).toEqual(["a/1.txt", "a/2.txt", "a/b/3.txt"]);
    expect(await found("{c,a}/[!1].{txt,md}")).toEqual(["a/2.txt", "c/4.md"]);
    expect(await found("c/4.md", "a/?.txt")).toEqual(["c/4.md", "a/1.txt", "a/2.txt"]);
    expect(() => data.read(join(folder, "glob/*.csv"))).toThrow(/no file matches/);
    expect(() => data.read(join(folder, "glob/a/11.txt"))).toThrow(/no file[\s\S]*Did you mean "1.txt"/);
    expect(() => data.read(join(folder, "glob/a"))).toThrow(/is a folder/);
  });

  it("reads columns of numbers as numbers, and codes as text", async () => {
    const path = file("csv", "n,code,part\n1.5,007,1e3\n-2,010,\n");
    expect(await rowsOf(path)).toEqual([
      { n: 1.5, code: "007", part: 1000 },
      { n: -2, code: "010", part: null },
    ]);
    expect((await rowsOf(path, { numbers: false }))[0]).toEqual({ n: "1.5", code: "007", part: "1e3" });
  });

  it("reads many row groups and long files a part at a time", async () => {
    const many = 5000;
    const text = Array.from({ length: many }, (_, i) => `row ${i}`);
    const whole = await data.read(file("parquet", parquetOf(tableFromArrays({ text })))).toArrow();
    expect(whole.numRows).toBe(many);
    expect(whole.get(4321)!.text).toBe("row 4321");
    const lines = file("jsonl", text.map((one) => JSON.stringify({ text: one })).join("\n"));
    expect((await rowsOf(lines)).map((row) => row.text)).toEqual(text);
  });
});

describe("broken files", () => {
  const brokenOf = async (path: string, options?: ReadOptions) => {
    const report = data.read(path, options).report();
    const [source] = await report.steps();
    return { source: source!, broken: await report.broken() };
  };

  it("keep broken JSON lines aside, with their numbers, and read the others", async () => {
    const path = file("jsonl", '{"a":1}\n{"a":2\n\n[3]\n{"a":4}\n"five"');
    expect(await rowsOf(path)).toEqual([{ a: 1 }, { a: 4 }]);
    const { source, broken } = await brokenOf(path);
    expect(source).toMatchObject({ rowsIn: 5, rowsOut: 2 });
    expect(broken.map(({ line, text }) => [line, text])).toEqual([
      [2, '{"a":2'],
      [4, "[3]"],
      [6, '"five"'],
    ]);
    expect(broken[0]).toMatchObject({ file: path, problem: expect.stringMatching(/^broken JSON/) });
  });

  it("keep lines that are no UTF-8 aside, and read them in their own encoding where it is named", async () => {
    const latin = Buffer.from('{"a":"x"}\n{"a":"caf\xe9"}\n', "latin1");
    const path = file("jsonl", latin);
    expect(await rowsOf(path)).toEqual([{ a: "x" }]);
    expect((await brokenOf(path)).broken).toMatchObject([
      { line: 2, problem: "bytes that are no UTF-8", text: '{"a":"café"}' },
    ]);
    expect(await rowsOf(path, { encoding: "latin1" })).toEqual([{ a: "x" }, { a: "café" }]);
    await expect(rowsOf(path, { encoding: "latin-one" })).rejects.toThrow(/no encoding "latin-one"/);
  });

  it("keep CSV records of other lengths aside, and a quote that is never closed", async () => {
    const path = file("csv", 'a,b\n1,2\n3\n4,5,6\n7,x\n"8,9\n');
    expect(await rowsOf(path)).toEqual([
      { a: 1, b: "2" },
      { a: 7, b: "x" },
    ]);
    const { broken } = await brokenOf(path);
    expect(broken.map(({ line }) => line)).toEqual([6, 3, 4]);
    await expect(rowsOf(file("csv", "a,a\n1,2"))).rejects.toThrow(/"a" twice/);
  });

  it("say that a gzip file is cut short, or give what there is of it", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `{"n":${i},"r":${Math.sin(i)}}`).join("\n");
    const whole = gzipSync(lines);
    const path = file("jsonl.gz", whole.subarray(0, whole.length / 2));
    await expect(rowsOf(path)).rejects.toThrow(/the gzip file is cut short[\s\S]*damaged: "keep"/);
    const rows = await rowsOf(path, { damaged: "keep" });
    expect(rows.length).toBeGreaterThan(5000);
    expect(rows.every((row, i) => row.n === i)).toBe(true);
    const { broken } = await brokenOf(path, { damaged: "keep" });
    expect(broken.at(-1)).toMatchObject({
      problem: expect.stringMatching(/^broken JSON/),
      line: rows.length + 1,
    });
    expect(broken.some(({ problem }) => problem === "the gzip file is cut short")).toBe(true);
  });

  it("say that Parquet and Arrow files are cut short, or are none", async () => {
    const parquet = Buffer.from(parquetOf(table));
    await expect(rowsOf(file("parquet", parquet.subarray(0, parquet.length - 9)))).rejects.toThrow(
      /is cut short/,
    );
    await expect(rowsOf(file("parquet", "a,b\n1,2"))).rejects.toThrow(/is no Parquet file/);
    const damaged = Buffer.from(parquet);
    damaged.fill(0xff, 8, 40);
    await expect(rowsOf(file("parquet", damaged))).rejects.toThrow(/cannot be read as Parquet/);
    const ipc = tableToIPC(table, "file");
    await expect(rowsOf(file("arrow", ipc.subarray(0, ipc.length / 2)))).rejects.toThrow(
      /cannot be read as Arrow/,
    );
  });

  it("fill a column that some files lack, and say where one changes its kind", async () => {
    const [a, b, c] = [
      file("jsonl", '{"id":1}'),
      file("jsonl", '{"id":2,"text":"two"}'),
      file("jsonl", '{"id":"three"}'),
    ];
    const both = await data.read([b, a]).toArrow();
    expect([...both].map((row) => row!.toJSON())).toEqual([
      { id: 2, text: "two" },
      { id: 1, text: null },
    ]);
    expect(await rowsOf([a, b])).toEqual([{ id: 1 }, { id: 2, text: "two" }]);
    await expect(rowsOf([a, c])).rejects.toThrow(`column id holds numbers in ${a} and text in ${c}`);
  });

  it("count a row without the needed column, and name near columns where no row has it", async () => {
    const keep = { name: "keep", options: {}, judge: () => undefined };
    const path = file("jsonl", '{"text":"a"}\n{"txt":"b"}');
    expect((await data.read(path).filter(keep).report().steps())[1]!.dropped).toMatchObject([
      { reason: 'no text in "text"', count: 1, examples: ['{"txt":"b"}'] },
    ]);
    await expect(data.read(file("jsonl", '{"txt":"b"}')).filter(keep).toArrow()).rejects.toThrow(
      /keep: there is no column "text"[\s\S]*Did you mean "txt"/,
    );
  });

  it("let no column become a prototype", async () => {
    const [row] = await rowsOf(file("jsonl", '{"__proto__":{"polluted":true},"a":1}'));
    expect((row as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.keys(row!)).toEqual(["__proto__", "a"]);
  });
});

it("reads the shared data, where it is", async ({ skip }) => {
  const shared = "../shared/data/gsm8k-train.jsonl";
  try {
    readFileSync(shared);
  } catch {
    skip("../shared/data is not there");
  }
  expect((await data.read("../shared/data/gsm8k-*.jsonl").toArrow()).numRows).toBe(8792);
});
