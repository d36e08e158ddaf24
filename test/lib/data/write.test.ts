// What is written is read again as it was, by ourselves and by the libraries of others; and what is stopped leaves nothing.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { readParquet } from "parquet-wasm";
import { afterAll, describe, expect, it } from "vitest";
import { data, LensorError, type Row } from "../../../lib/index.ts";

const folder = mkdtempSync(join(tmpdir(), "lensor-write-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

const rows = Array.from({ length: 3000 }, (_, n) => ({
  n,
  text: n % 7 ? `row ${n}, "quoted"\nwith a break 😀` : "",
  part: n % 5 ? n / 4 : null,
}));

async function all(path: string): Promise<Row[]> {
  const out: Row[] = [];
  for await (const row of data.read(path)) out.push(row);
  return out;
}

describe("dataset.write", () => {
  it.each(["a.parquet", "a.jsonl", "a.jsonl.gz", "a.json", "a.csv", "a.csv.gz", "a.tsv", "a.arrow"])(
    "writes %s, to be read as it was",
    async (name) => {
      const written = await data.from(rows).write(at(name));
      expect(written).toMatchObject({ path: at(name), rows: 3000, bytes: readFileSync(at(name)).length });
      expect(await all(at(name))).toEqual(rows);
    },
  );

  it("writes Parquet and Arrow that their own libraries read, with every kind of column", async () => {
    const given = [
      {
        s: "x",
        n: 1.5,
        big: 2n ** 60n,
        yes: true,
        list: ["a"],
        rec: { y: "q" },
        ids: Int32Array.of(1, 2),
        none: null,
      },
      { s: null, n: null, big: null, yes: null, list: null, rec: null, ids: null, none: null },
    ];
    const dataset = data.from<Row>(given);
    await dataset.write(at("b.parquet"));
    await dataset.write(at("b.arrow"));
    const parquet = tableFromIPC(readParquet(readFileSync(at("b.parquet"))).intoIPCStream());
    for (const table of [parquet, tableFromIPC(readFileSync(at("b.arrow")))]) {
      expect(table.numRows).toBe(2);
      expect(table.get(0)!.big).toBe(2n ** 60n);
      expect([...table.get(0)!.ids]).toEqual([1, 2]);
      expect(table.get(1)!.s).toBeNull();
    }
  });

  it("writes what changes its columns on the way", async () => {
    const dataset = data
      .from(Array.from({ length: 2500 }, (_, n) => ({ n })))
      .map(({ n }): Row => (n < 2000 ? { n, late: null } : { n, late: `x${n}`, more: n }));
    await dataset.write(at("c.parquet"));
    const back = await all(at("c.parquet"));
    expect(back[0]).toEqual({ n: 0, late: null, more: null });
    expect(back[2400]).toEqual({ n: 2400, late: "x2400", more: 2400 });
  });

  it("writes a card that says what is in it, and what was left out and why", async () => {
    await data
      .from(rows)
      .filter({
        name: "long enough",
        options: { least: 1 },
        judge: (text) => (text === "" ? "empty" : undefined),
      })
      .write(at("d.parquet"));
    const card = readFileSync(at("d.parquet.md"), "utf8");
    expect(card).toMatch(/rows: 2571\n/);
    expect(card).toMatch(/\| long enough \| `\{"least":1\}` \| 3.000 \| 2.571 \|/);
    expect(card).toMatch(/\| long enough \| empty \| 429 \|/);
    expect(card).toMatch(/fingerprint: [0-9a-f]{64}/);
    await data.from(rows).write(at("e.jsonl"), { card: false });
    expect(readdirSync(folder)).not.toContain("e.jsonl.md");
  });

  it("leaves what was there, and nothing else, where it is stopped or fails", async () => {
    writeFileSync(at("f.jsonl"), "before");
    let calls = 0;
    const failing = data.from(rows).map((row) => {
      if (++calls === 2000) throw new Error("stopped");
      return row;
    });
    const before = readdirSync(folder);
    for (const name of ["f.jsonl", "f.parquet", "f.csv.gz", "f.arrow"]) {
      calls = 0;
      await expect(failing.write(at(name))).rejects.toThrow(/your function failed at row 1999: stopped/);
    }
    expect(readdirSync(folder)).toEqual(before);
    expect(readFileSync(at("f.jsonl"), "utf8")).toBe("before");
  });

  it("says what it cannot write", async () => {
    await expect(data.from(rows).write(at("g.xyz"))).rejects.toThrow(/does not tell its format/);
    await expect(data.from(rows).write(at("g.txt"))).rejects.toThrow(/not one line of text/);
    await expect(data.from(rows).write(join(at("a.jsonl"), "inside.csv"))).rejects.toBeInstanceOf(
      LensorError,
    );
    await expect(data.from(rows).write("")).rejects.toThrow(/takes a path/);
  });
});
