// Verbs against what plain arrays do, and against counting where chance is in play.

import { describe, expect, it } from "vitest";
import { data, type Row } from "../../../lib/index.ts";

async function all<R>(rows: AsyncIterable<R>): Promise<R[]> {
  const out: R[] = [];
  for await (const row of rows) out.push(row);
  return out;
}
const numbers = (count: number) => data.from(Array.from({ length: count }, (_, n) => ({ n })));
const values = async (dataset: AsyncIterable<Row>) => (await all(dataset)).map(({ n }) => n as number);
const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const ascending = (list: number[]) => [...list].sort((a, b) => a - b);

describe("shuffle", () => {
  it("gives every row once, in an order that belongs to the seed", async () => {
    const [a, b, c] = await Promise.all([1, 1, 2].map((seed) => values(numbers(3000).shuffle({ seed }))));
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
    expect(ascending(a!)).toEqual(range(3000));
  });

  it("puts every row anywhere equally often: chi squared of 10 rows, 2,000 seeds, p = 0.001", async () => {
    const counts = range(10).map(() => range(10).map(() => 0));
    for (let seed = 0; seed < 2000; seed++)
      for (const [place, n] of (await values(numbers(10).shuffle({ seed }))).entries()) counts[place]![n]!++;
    const chi = counts.flat().reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0);
    expect(chi).toBeLessThan(126.1); // 81 degrees of freedom
  }, 60_000);
});

describe("sample", () => {
  it("gives so many rows, or a share, in their own order", async () => {
    const some = await values(numbers(5000).sample(100, { seed: 3 }));
    expect(some.length).toBe(100);
    expect(ascending(some)).toEqual(some);
    expect(new Set(some).size).toBe(100);
    const share = await values(numbers(5000).sample(0.1));
    expect(share.length).toBeGreaterThan(420);
    expect(share.length).toBeLessThan(580);
    expect(await values(numbers(5).sample(100))).toEqual(range(5));
    expect(() => numbers(5).sample(1.5)).toThrow(/whole number/);
  });

  it("takes every row equally often", async () => {
    const counts = range(20).map(() => 0);
    for (let seed = 0; seed < 1000; seed++)
      for (const n of await values(numbers(20).sample(5, { seed }))) counts[n]!++;
    const chi = counts.reduce((sum, count) => sum + (count - 250) ** 2 / 250, 0);
    expect(chi).toBeLessThan(43.8); // 19 degrees of freedom, p = 0.001
  }, 60_000);
});

describe("split", () => {
  it("puts each row in one part, of the right size, the same whichever part is read first", async () => {
    for (const count of [10, 1000, 2500]) {
      const { train, valid, test } = numbers(count).split({ train: 0.7, valid: 0.2, test: 0.1 }, { seed: 4 });
      const parts = [await values(test), await values(train), await values(valid)];
      expect(ascending(parts.flat())).toEqual(range(count));
      expect(parts.map(({ length }) => length)).toEqual([count * 0.1, count * 0.7, count * 0.2]);
    }
    expect(() => numbers(3).split({ a: 0.5, b: 0.6 })).toThrow(/shares above 0 that are 1 together/);
  });
});

describe("sort", () => {
  const rows = [
    { k: "b", i: 0 },
    { k: null, i: 1 },
    { k: "a", i: 2 },
    { k: "b", i: 3 },
    { k: "c", i: 4 },
  ];
  it("keeps the order of equal rows, and puts missing values last", async () => {
    const order = async (descending: boolean) =>
      (await all(data.from(rows).sort("k", { descending }))).map(({ i }) => i);
    expect(await order(false)).toEqual([2, 0, 3, 4, 1]);
    expect(await order(true)).toEqual([4, 0, 3, 2, 1]);
    expect((await all(data.from(rows).sort((row) => -row.i))).map(({ i }) => i)).toEqual([4, 3, 2, 1, 0]);
    expect(() => data.from(rows).sort("j" as "k")).toThrow(/no column "j"/);
  });

  it.runIf(process.env.LENSOR_FULL)(
    "sorts and shuffles what does not fit into its memory",
    async () => {
      const filler = "x".repeat(50_000);
      const many = data
        .from(range(5000).map((n) => ({ n })))
        .map(({ n }) => ({ n: (n * 2741) % 5000, filler: filler + n }));
      const sorted = many.sort("n").map((row) => ({ n: row.n, length: row.filler.length }));
      expect(await values(sorted)).toEqual(range(5000));
      const shuffled = await values(many.shuffle().select("n"));
      expect(ascending(shuffled)).toEqual(range(5000));
    },
    120_000,
  );
});

describe("concat and join", () => {
  it("puts rows one after the other, and fills columns that one lacks", async () => {
    const both = data.from([{ a: 1 }]).concat(data.from<Row>([{ a: 2, b: "x" }]), data.from([{ a: 3 }]));
    expect([...(await both.toArrow())].map((row) => row!.toJSON())).toEqual([
      { a: 1, b: null },
      { a: 2, b: "x" },
      { a: 3, b: null },
    ]);
    expect(both.columns).toEqual(["a", "b"]);
  });

  it("joins rows where a column agrees, and counts those without a partner", async () => {
    const left = data.from([
      { id: 1, q: "one" },
      { id: 2, q: "two" },
      { id: 3, q: "three" },
    ]);
    const right = data.from([
      { id: 2, a: "B" },
      { id: 1, a: "A" },
      { id: 2, a: "C" },
    ]);
    const inner = left.join(right, { on: "id" });
    expect(await all(inner)).toEqual([
      { id: 1, q: "one", a: "A" },
      { id: 2, q: "two", a: "B" },
      { id: 2, q: "two", a: "C" },
    ]);
    expect((await inner.report().steps())[1]!.dropped).toMatchObject([{ reason: "no partner", count: 1 }]);
    expect((await all(left.join(right, { on: "id", how: "left" }))).at(-1)).toEqual({ id: 3, q: "three" });
    expect(() => left.join(data.from([{ id: 1, q: "x" }]), { on: "id" })).toThrow(/both have a column "q"/);
    expect(() => left.join(right, { on: "key" })).toThrow(/no column "key"/);
  });
});

describe("derive and select", () => {
  it("adds columns, replaces one, keeps the rest and their order", async () => {
    const made = data
      .from([{ a: 1, b: "x" }])
      .derive({ b: (row) => row.b.toUpperCase(), c: async (row) => row.a + 1 });
    expect(made.columns).toEqual(["a", "b", "c"]);
    expect(await all(made.select("c", "b"))).toEqual([{ c: 2, b: "X" }]);
    expect(Object.keys((await all(made.select("c", "b")))[0]!)).toEqual(["c", "b"]);
  });
});

describe("a fingerprint", () => {
  it("names contents and steps, not names of files or objects", async () => {
    const of = (rows: Row[]) => data.from(rows).shuffle({ seed: 1 });
    const [a, b, c, d] = await Promise.all([
      of([{ n: 1 }]).fingerprint(),
      of([{ n: 1 }]).fingerprint(),
      of([{ n: 2 }]).fingerprint(),
      data
        .from([{ n: 1 }])
        .shuffle({ seed: 2 })
        .fingerprint(),
    ]);
    expect(a).toBe(b);
    expect(new Set([a, c, d]).size).toBe(3);
    expect(await of([{ n: 1 }]).provenance()).toMatchObject({
      fingerprint: a,
      steps: [{ name: "shuffle", options: { seed: 1 } }],
    });
  });
});
