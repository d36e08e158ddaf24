/** Our side of `dedup`: texts in memory, until the first of every cluster has come out. */
import { readFileSync } from "node:fs";
import { data } from "../../../lib/index.ts";
import type { Run } from "./main.ts";

export async function dedup({ file }: { file: string }): Promise<Run> {
  const texts = JSON.parse(readFileSync(file, "utf8")) as string[];
  const rows = texts.map((text) => ({ text }));
  return async () => {
    const start = performance.now();
    for await (const _ of data.from(rows).dedup().chunks()) {
      // That the rows come is all that is timed.
    }
    return { seconds: (performance.now() - start) / 1000, count: rows.length };
  };
}
