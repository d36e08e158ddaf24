// What an interrupt leaves of work on data: nothing half made, and everything usable. The kernel's part (who sets the flag, and
// when) is played here by the test.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import type { Host } from "../../../lib/host.ts";
import { data } from "../../../lib/index.ts";

const interruptFlag = new Int32Array(new SharedArrayBuffer(16));
const key = Symbol.for("lensor.host");
const here = globalThis as Record<symbol, unknown>;
here[key] = { display: () => "", update() {}, interruptFlag, onCellEnd() {} } satisfies Host;
const folder = mkdtempSync(join(tmpdir(), "lensor-stopped-"));
afterAll(() => {
  delete here[key];
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  interruptFlag[0] = 0;
});

const rows = data.from(Array.from({ length: 20_000 }, (_, n) => ({ n, text: `row ${n}` })));

/** The same rows, interrupted at the 5,000th, and how many were asked for in all. */
function stopping() {
  const seen = { rows: 0 };
  const dataset = rows.map((row) => {
    if (++seen.rows === 5000) interruptFlag[0] = 1;
    return row;
  });
  return { dataset, seen };
}

it.each(["parquet", "jsonl", "csv.gz", "arrow"])(
  "a file that was being written as %s is not there",
  async (ending) => {
    const { dataset, seen } = stopping();
    await expect(dataset.write(join(folder, `a.${ending}`))).rejects.toThrow("The cell was interrupted");
    expect(readdirSync(folder)).toEqual([]);
    expect(seen.rows).toBeLessThan(7000);
  },
);

it("a table, a report, a shuffle and a sort stop, and begin anew when asked again", async () => {
  for (const read of [
    (dataset: typeof rows) => dataset.toArrow(),
    (dataset: typeof rows) => dataset.report().table(),
    (dataset: typeof rows) => dataset.shuffle().toArrow(),
    (dataset: typeof rows) => dataset.sort("n").toArrow(),
  ]) {
    const { dataset, seen } = stopping();
    await expect(read(dataset)).rejects.toThrow("The cell was interrupted");
    expect(seen.rows).toBeLessThan(7000);
    interruptFlag[0] = 0;
    expect((await read(dataset)).numRows).toBeGreaterThan(1);
    expect(seen.rows).toBeGreaterThan(20_000);
  }
});

it("a query stops, and leaves no folder of its own", async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith("lensor-sql-"));
  const endless = data.sql("select count(*) from range(1000000000) a, range(1000000) b");
  setTimeout(() => (interruptFlag[0] = 1), 300);
  await expect(endless.toArrow()).rejects.toThrow("The cell was interrupted");
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith("lensor-sql-"))).toEqual(before);
});
