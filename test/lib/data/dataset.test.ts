import { tableFromArrays } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { data, type Filter, LensorError, type Redactor } from "../../../lib/index.ts";

const rows = [
  { id: 1, text: "one two three" },
  { id: 2, text: "four" },
  { id: 3, text: "five six, write to a@b.org" },
];

const short: Filter = {
  name: "short",
  options: { least: 2 },
  judge: (text) => (text.split(" ").length < 2 ? "fewer than 2 words" : undefined),
};

const at: Redactor = {
  name: "at",
  options: {},
  redact(text) {
    const start = text.indexOf("a@b.org");
    if (start < 0) return { text, found: [] };
    return { text: text.replace("a@b.org", "[EMAIL]"), found: [{ kind: "email", start, end: start + 7 }] };
  },
};

async function all<R>(dataset: AsyncIterable<R>): Promise<R[]> {
  const out: R[] = [];
  for await (const row of dataset) out.push(row);
  return out;
}

describe("a dataset", () => {
  test("is lazy, starts anew at every reading, and awaiting it is harmless", async () => {
    let calls = 0;
    const dataset = data.from(rows).map((row) => {
      calls++;
      return { ...row, words: row.text.split(" ").length };
    });
    expect(await dataset).toBe(dataset);
    expect(calls).toBe(0);
    expect(await all(dataset)).toEqual(await all(dataset));
    expect(calls).toBe(6);
  });

  test("keeps the rows that a function or a filter wants", async () => {
    expect(await all(data.from(rows).filter((row) => row.id > 1))).toEqual(rows.slice(1));
    expect(await all(data.from(rows).filter(short))).toEqual([rows[0], rows[2]]);
  });

  test("takes no more than it needs", async () => {
    let calls = 0;
    const many = data.from(Array.from({ length: 5000 }, (_, id) => ({ id }))).map((row) => {
      calls++;
      return row;
    });
    expect(await all(many.take(3))).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }]);
    expect(calls).toBeLessThanOrEqual(1024);
  });

  test("gives an Arrow table of the rows, with the types that came in", async () => {
    const table = tableFromArrays({ a: Int32Array.of(1, 2, 3), b: ["x", "y", "z"] });
    const out = await data
      .fromArrow(table)
      .filter((row) => row.a !== 2)
      .toArrow();
    expect(String(out.schema.fields[0]!.type)).toBe("Int32");
    expect([...out].map((row) => row!.toJSON())).toEqual([
      { a: 1, b: "x" },
      { a: 3, b: "z" },
    ]);
  });

  test("gives texts, numbers, lists, records, dates and what is missing back as they were", async () => {
    const given = [
      { s: "héllo 😀", n: 1.5, big: 2n ** 60n, list: ["a", "b"], rec: { x: 1, y: "q" }, yes: true },
      { s: "", n: null, big: 3n, list: [], rec: { x: 2, y: "r" }, when: new Date(5) },
    ];
    const table = await data.from(given).toArrow();
    const back = await all(data.fromArrow(table));
    expect(back[0]).toEqual({ ...given[0], when: null });
    expect({ ...back[1], when: Number(back[1]!.when) }).toEqual({ ...given[1], yes: null, when: 5 });
  });

  test("refuses at the call to select a column that is not there, and names near ones", () => {
    const dataset = data.from(rows);
    expect(() => dataset.select("txet" as "text")).toThrow(/no column "txet"[\s\S]*Did you mean "text"/);
    expect(() => dataset.map((row) => ({ body: row.text })).select("text" as "body")).not.toThrow();
  });

  test("says which row a function failed at", async () => {
    const broken = data.from(rows).map((row) => ({ x: (row as { gone?: string[] }).gone!.length }));
    await expect(broken.toArrow()).rejects.toThrow(/map: your function failed at row 0/);
    await expect(broken.toArrow()).rejects.toBeInstanceOf(LensorError);
  });

  test("says what a column holds that has two types", async () => {
    const mixed = data.from([{ x: 1 }, { x: "two" }]);
    await expect(mixed.toArrow()).rejects.toThrow(/Column x holds numbers in some rows and text in others/);
  });
});

describe("a report", () => {
  test("tells rows and words of every step, reasons with examples, and what was changed", async () => {
    const report = data
      .from([...rows, { id: 4 }])
      .filter(short)
      .redact(at)
      .report();
    const [source, filtered, redacted] = await report.steps();
    expect(source).toMatchObject({ rowsIn: 4, rowsOut: 4, after: { length: 9, unit: "words" } });
    expect(filtered).toMatchObject({
      name: "short",
      options: { least: 2 },
      rowsIn: 4,
      rowsOut: 2,
      after: { length: 8, unit: "words" },
    });
    expect(filtered!.dropped).toEqual([
      { reason: "fewer than 2 words", count: 1, examples: ["four"] },
      { reason: 'no text in "text"', count: 1, examples: ['{"id":4}'] },
    ]);
    expect(redacted!.changed[0]).toMatchObject({ reason: "email", count: 1 });
    expect(redacted!.changed[0]!.examples[0]).toBe("five six, write to [EMAIL]");
    const table = await report.table();
    expect([...table].map((row) => row!.rowsOut)).toEqual([4, 2, 2]);
  });

  test("reads nothing again after a reading that came to its end", async () => {
    let calls = 0;
    const dataset = data.from(rows).map((row) => {
      calls++;
      return row;
    });
    await dataset.toArrow();
    expect((await dataset.report().steps())[1]!.rowsOut).toBe(3);
    expect(calls).toBe(3);
  });
});
