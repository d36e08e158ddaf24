// What is kept is what would be made, and is made again only when the data or the steps are others.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, it } from "vitest";
import { type Dataset, data, type Filter } from "../../../lib/index.ts";

const folder = mkdtempSync(join(tmpdir(), "lensor-kept-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let judged = 0;
const even = (by: number): Filter => ({
  name: "even",
  options: { by },
  judge(text) {
    judged++;
    return text.length % by ? "odd" : undefined;
  },
});

async function textsOf(dataset: Dataset): Promise<string[]> {
  const out: string[] = [];
  for await (const row of dataset) out.push(row.text);
  return out;
}

const texts = Array.from({ length: 100 }, (_, i) => "x".repeat(i));
const path = join(folder, "texts.jsonl");
const write = (list: string[]) =>
  writeFileSync(path, list.map((text) => JSON.stringify({ text })).join("\n"));
beforeEach(() => {
  judged = 0;
});

it("works once for the same contents and options, under whatever name the file has", async () => {
  write(texts);
  const kept = (by: number) =>
    data
      .read(path)
      .filter(even(by))
      .cache({ folder: join(folder, "kept") });
  const first = await textsOf(kept(2));
  expect(first).toEqual(texts.filter((text) => text.length % 2 === 0));
  expect(judged).toBe(100);
  expect(await textsOf(kept(2))).toEqual(first);
  expect(judged).toBe(100);
  await textsOf(kept(3));
  expect(judged).toBe(200);
  write(texts.slice(1));
  await Promise.all([
    textsOf(kept(2)),
    textsOf(
      data
        .read(path)
        .filter(even(2))
        .cache({ folder: join(folder, "kept") }),
    ),
  ]);
  expect(judged).toBe(299);
  expect(readdirSync(join(folder, "kept")).filter((name) => name.endsWith(".parquet")).length).toBe(3);
});

it("refuses to keep what a function made, whose surroundings have no name", () => {
  expect(() =>
    data
      .from(texts)
      .filter((row) => row.text !== "")
      .cache(),
  ).toThrow(/cache: what filter gives cannot be named[\s\S]*Put cache\(\) before it/);
});

it("refuses it also within what was put together", () => {
  const mapped = data.from(texts).map((row) => row);
  expect(() => data.from(texts).concat(mapped).cache()).toThrow(/cannot be named/);
  expect(() => data.sql("select 1").cache()).toThrow(/cannot be named/);
});

it("keeps nothing where the work fails", async () => {
  const failing: Filter = { name: "failing", options: {}, judge: () => Promise.reject(new Error("no")) };
  const place = join(folder, "failed");
  await expect(textsOf(data.from(texts).filter(failing).cache({ folder: place }))).rejects.toThrow("no");
  expect(readdirSync(place)).toEqual([]);
});
