// The notebook about reactivity, as `npx lensor run` executes it: without anyone to move its inputs, each cell once from top
// to bottom. What its prose says of the results is true of them.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cell, codeOf, readNotebook } from "../notebook.ts";

const root = new URL("../../", import.meta.url);
const lensor = fileURLToPath(new URL("kernel/cli/lensor.mjs", root));
const file = fileURLToPath(new URL("notebooks/01-reactive.ipynb", root));

let folder: string;
let cells: Cell[];
let page: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lensor-reactive-"));
  const [saved, html] = [join(folder, "out.ipynb"), join(folder, "out.html")];
  await promisify(execFile)(process.execPath, [lensor, "run", file, "--out", saved, "--html", html], {
    maxBuffer: 1 << 26,
  });
  cells = codeOf(readNotebook(saved));
  page = readFileSync(html, "utf8");
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything that a cell shows, as text. */
function shown(id: string): string {
  const said = cells
    .find((cell) => cell.id === id)!
    .outputs!.map(({ text, data }) => text ?? data?.["text/plain"] ?? "");
  return said.flat().join("");
}

test("runs every cell once, and all but the one of functions have something to see", () => {
  expect(cells.map(({ execution_count }) => execution_count)).toEqual(cells.map((_, i) => i + 1));
  expect(cells.filter(({ id }) => !shown(id).trim()).map(({ id }) => id)).toEqual(["bars"]);
});

test("where nothing can be moved, an input says what it is set to", () => {
  expect(shown("layer")).toBe("layer: 13");
  expect(shown("place")).toBe("head: 8from word: 18");
  expect(shown("hero")).toBe("hero: small foxtemperature: 0");
  expect(page).toContain("beginning: For breakfast she had a cup of");
  expect(page).not.toContain("widget-view");
});

test("shows what its text says", () => {
  expect(shown("looks")).toBe("Head 13.8 looks from “them” at “keys”");
  expect(shown("guesses")).toBe("After 30 layers the first choice is “coffee”");
  expect(shown("pushed")).toMatch(/^“coffee” leads the five with \d+ %$/);
  expect(shown("longer")).toBe("'he had dropped them, and then he found them'");
  expect(shown("counted-once")).toBe("{ runs: 1, words: [ 'keys' ] }");
  expect(shown("long").startsWith(shown("story"))).toBe(true);
});
