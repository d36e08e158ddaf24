// What was run is found again: in this session, in earlier ones on disk, and by several kernels at once.

import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { History, matches } from "../../../kernel/protocol/history.ts";
import { HistoryFolder } from "../../../kernel/protocol/history-folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-history-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const onDisk = (): History => new History(new HistoryFolder(join(folder, "history")));

/** A session that ran these, and ended. */
async function ran(...sources: string[]): Promise<void> {
  const history = onDisk();
  for (const [i, source] of sources.entries()) history.add(i + 1, source);
  await history.close();
}

/** What a session finds that has run nothing. */
async function found(request: Record<string, unknown>): Promise<unknown[][]> {
  const history = onDisk();
  const entries = await history.find(request);
  await history.close();
  return entries as unknown as unknown[][];
}

describe("one session", () => {
  const history = new History();
  for (const [i, source] of ["a = 1", "b = 2", "a = 1", "long text"].entries()) history.add(i + 1, source);
  const sources = async (request: Record<string, unknown>): Promise<string[]> =>
    (await history.find(request)).map(([, , source]) => source);

  test("tail, range and search", async () => {
    expect(await sources({ hist_access_type: "tail", n: 2 })).toEqual(["a = 1", "long text"]);
    expect(await sources({ hist_access_type: "tail", n: 0 })).toEqual([]);
    expect(await sources({ hist_access_type: "range", session: 0, start: 1, stop: 3 })).toEqual([
      "a = 1",
      "b = 2",
    ]);
    expect(await sources({ hist_access_type: "search", pattern: "a*", n: 10 })).toEqual(["a = 1", "a = 1"]);
    expect(await sources({ hist_access_type: "search", pattern: "a*", n: 10, unique: true })).toEqual([
      "a = 1",
    ]);
    expect(await sources({ hist_access_type: "search", pattern: "? = ?", n: 1 })).toEqual(["a = 1"]);
    expect(await sources({ hist_access_type: "nonsense" })).toEqual([]);
  });

  test("is bounded", async () => {
    const long = new History();
    for (let i = 0; i < 3000; i++) long.add(i, "x");
    expect((await long.find({ hist_access_type: "tail", n: 5000 })).length).toBe(1000);
  });
});

describe("on disk", () => {
  test("earlier sessions are found, the latest last", async () => {
    await ran("old 1", "old 2");
    await ran("newer");
    const history = onDisk();
    history.add(1, "now");
    expect(await history.find({ hist_access_type: "tail", n: 3 })).toEqual([
      [1, 2, "old 2"],
      [2, 1, "newer"],
      [3, 1, "now"],
    ]);
    expect(await history.find({ hist_access_type: "search", pattern: "old*" })).toEqual([
      [1, 1, "old 1"],
      [1, 2, "old 2"],
    ]);
    expect(await history.find({ hist_access_type: "range", session: 1, start: 2, stop: 3 })).toEqual([
      [1, 2, "old 2"],
    ]);
    expect(await history.find({ hist_access_type: "range", session: -1, start: 0 })).toEqual([
      [2, 1, "newer"],
    ]);
    expect(await history.find({ hist_access_type: "range", session: 0 })).toEqual([[3, 1, "now"]]);
    await history.close();
  });

  test("a source with line ends, quotes and emoji comes back as it was", async () => {
    const source = 'const a = `1\n2`;\r\n"\u2028😀\\n"';
    await ran(source);
    expect(await found({ hist_access_type: "tail", n: 1 })).toEqual([[1, 1, source]]);
  });

  test("two kernels at once are two sessions", async () => {
    const [a, b] = [onDisk(), onDisk()];
    a.add(1, "in a");
    b.add(1, "in b");
    await Promise.all([a.close(), b.close()]);
    const both = await found({ hist_access_type: "tail", n: 9 });
    expect(both.map(([session]) => session)).toEqual([1, 2]);
    expect(both.map(([, , source]) => source).sort()).toEqual(["in a", "in b"]);
  });

  test("only its owner can read it", async () => {
    await ran("secret");
    const mode = (path: string): number => statSync(path).mode & 0o777;
    expect(mode(join(folder, "history"))).toBe(0o700);
    expect(mode(join(folder, "history/1.jsonl"))).toBe(0o600);
  });

  test("lines that are cut short or strange, and files that are none of ours, are passed over", async () => {
    await ran("good");
    writeFileSync(join(folder, "history/1.jsonl"), '[1,"good"]\n{"a":1}\n[2]\n["x","y"]\nnull\n[3,"cut');
    writeFileSync(join(folder, "history/notes.txt"), "x");
    expect(await found({ hist_access_type: "tail", n: 9 })).toEqual([[1, 1, "good"]]);
  });

  test("a session writes a few megabytes at most, and the oldest of many go", async () => {
    const history = onDisk();
    for (let i = 0; i < 10; i++) history.add(i + 1, "x".repeat(1_000_000));
    await history.close();
    expect(readFileSync(join(folder, "history/1.jsonl")).length).toBeLessThan(4_000_000);
    for (let i = 2; i <= 600; i++) writeFileSync(join(folder, `history/${i}.jsonl`), '[1,"x"]\n');
    await ran("latest");
    const names = readdirSync(join(folder, "history"));
    expect(names).toHaveLength(501);
    expect(names).not.toContain("100.jsonl");
    expect(names).toContain("601.jsonl");
  });

  test("where the disk cannot be written, this session's own is remembered all the same", async () => {
    writeFileSync(join(folder, "history"), "a file, where a folder would be");
    chmodSync(join(folder, "history"), 0o400);
    const history = onDisk();
    history.add(1, "kept");
    expect(await history.find({ hist_access_type: "tail", n: 1 })).toEqual([[1, 1, "kept"]]);
    await history.close();
  });
});

test("a pattern means what it means to a shell, and none takes long", () => {
  const asRegExp = (pattern: string): RegExp =>
    new RegExp(`^${pattern.replace(/[*?]/g, (c) => (c === "*" ? "[^]*" : "[^]"))}$`);
  const part = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 6 });
  const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
  fc.assert(fc.property(part, text, (p, t) => matches(p, t) === asRegExp(p).test(t)));
  const started = performance.now();
  expect(matches("*a".repeat(30), `${"a".repeat(20_000)}b`)).toBe(false);
  expect(performance.now() - started).toBeLessThan(1000);
});
