// Queries against what arrays give.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { data } from "../../../lib/index.ts";

const folder = mkdtempSync(join(tmpdir(), "lensor-query-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function all<R>(rows: AsyncIterable<R>): Promise<R[]> {
  const out: R[] = [];
  for await (const row of rows) out.push(row);
  return out;
}

describe("data.sql", () => {
  const docs = data.from(
    Array.from({ length: 3000 }, (_, n) => ({ n, kind: n % 3 ? "a" : "b", text: `it's ${n}` })),
  );

  it("asks datasets as tables, joined and grouped", async () => {
    const names = data.from([
      { kind: "a", name: "first" },
      { kind: "b", name: "second" },
    ]);
    const query =
      "select name, count(*) as rows, max(n) as most from docs join names using (kind) group by name order by name";
    expect(await all(data.sql(query, { docs, names }))).toEqual([
      { name: "first", rows: 2000n, most: 2999 },
      { name: "second", rows: 1000n, most: 2997 },
    ]);
  });

  it("is a dataset like any other", async () => {
    const some = data.sql<{ n: number; text: string }>("select n, text from docs where kind = 'b'", { docs });
    const rows = await all(some.filter((row) => row.n > 2990));
    expect(rows).toEqual([2991, 2994, 2997].map((n) => ({ n, text: `it's ${n}` })));
    expect((await some.toArrow()).numRows).toBe(1000);
  });

  it("reads files that the query names", async () => {
    const path = join(folder, "a.csv");
    writeFileSync(path, "x,y\n1,one\n2,two\n");
    expect(await all(data.sql(`select y from '${path}' where x = 2`))).toEqual([{ y: "two" }]);
  });

  it("says what is wrong with a query, and with its tables", async () => {
    await expect(all(data.sql("select txet from docs", { docs }))).rejects.toThrow(/data\.sql: .*txet/);
    expect(() => data.sql("")).toThrow(/takes a query/);
    expect(() => data.sql("select 1", { "a b": docs })).toThrow(/no name of a table/);
    expect(() => data.sql("select 1", { a: [] as unknown as typeof docs as never })).toThrow(/is no dataset/);
  });
});
