// Front ends without lensor's extension: order is that of first execution, a re-run keeps its place, and nothing runs that was
// not sent. The requests are as those front ends send them.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FrontEnd } from "./frontend.ts";

interface Recorded {
  readonly requests: readonly { content: Record<string, unknown>; metadata: Record<string, unknown> }[];
  readonly shows: readonly string[];
}

const file = new URL("../fixtures/requests/front-ends.json", import.meta.url);
const recorded = JSON.parse(readFileSync(file, "utf8")) as Record<string, Recorded>;

test.each(Object.keys(recorded))("%s", async (name) => {
  const { requests, shows } = recorded[name]!;
  const page = await FrontEnd.open();
  const shown: unknown[] = [];
  for (const { content, metadata } of requests) shown.push(await page.request(content, metadata));
  expect(shown).toEqual(shows);
  expect(page.log.map(({ count }) => count)).toEqual(requests.map((_, i) => i + 1));
  expect(page.heard).toEqual([]);
  await page.close();
});

test("metadata of a hostile notebook changes nothing and runs nothing", async () => {
  const page = await FrontEnd.open();
  const run = (code: string, metadata: Record<string, unknown>) =>
    page.request({ code, silent: false, stop_on_error: true }, metadata);
  await run("let x = 1", { cellId: "a" });
  const hostile = [
    { cellId: 5, cellOrder: "a", deletedCells: { length: 1e9 } },
    { cellId: ["a"], cellOrder: [1, 2], deletedCells: ["a", 7] },
    { cellId: "__proto__", cellOrder: ["a", "__proto__", "constructor"], deletedCells: ["__proto__"] },
    { cellId: "request-1", deletedCells: ["request-1"] },
    { cellId: "b", lensor: { mode: "auto", run: ["a"] }, meanings: { x: "nowhere" }, cellOrder: null },
  ];
  for (const metadata of hostile) expect(await run("x + 1", metadata)).toBe("2");
  expect(page.log).toHaveLength(hostile.length + 1);
  await page.close();
});
