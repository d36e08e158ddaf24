// TypeScript's language services over cells: the list of cases, redefinitions that come and go, a server that dies.
// One real server for all of it, in a folder with packages and a tsconfig.json of its own.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { placeAt } from "../../../kernel/compile/positions.ts";
import { draftOf } from "../../../kernel/language/modules.ts";
import { Texts } from "../../../kernel/language/texts.ts";
import { TypeScript } from "../../../kernel/language/typescript.ts";
import { FILES } from "./cases/case.ts";
import { completion } from "./cases/completion.ts";
import { diagnostics } from "./cases/diagnostics.ts";
import { hover } from "./cases/hover.ts";

const folder = mkdtempSync(join(tmpdir(), "lensor-language-"));
for (const [name, text] of Object.entries(FILES)) {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}
const cells = new Texts();
const typescript = new TypeScript(folder, cells);

afterAll(() => {
  typescript.close();
  rmSync(folder, { recursive: true });
});

let last: string[] = [];
/** A notebook of these cells, and no other. */
function notebook(...texts: string[]): string[] {
  cells.remove(last);
  last = texts.map((_, i) => `cell-${i}`);
  for (const [i, text] of texts.entries()) cells.put(last[i]!, text);
  cells.arrange(last);
  return last;
}
beforeEach(() => void notebook());

async function errors(cell: string): Promise<string[]> {
  const found = await typescript.diagnose(cell);
  const text = cells.get(cell)!.text;
  return found.map(({ code, start }) => {
    const { line, column } = placeAt(text, start);
    return `${line}:${column} ${code}`;
  });
}

async function matches(code: string): Promise<string[]> {
  const cursor = code.indexOf("|");
  const { matches } = await typescript.complete(code.replace("|", ""), cursor);
  return matches.map(({ text }) => text);
}

describe.each([
  ["completion", completion],
  ["hover", hover],
  ["diagnostics", diagnostics],
])("%s", (_, cases) => {
  test.each(cases)("$about", async ({ cells: texts, offers, says, errors: expected }) => {
    if (expected) {
      const ids = notebook(...texts);
      expect(await errors(ids.at(-1)!)).toEqual(expected);
      return;
    }
    notebook(...texts.slice(0, -1));
    const draft = texts.at(-1)!;
    if (offers) {
      const found = await matches(draft);
      for (const name of offers) {
        if (name.startsWith("!")) expect(found).not.toContain(name.slice(1));
        else expect(found).toContain(name);
      }
    }
    if (says) {
      const text = await typescript.inspect(draft.replace("|", ""), draft.indexOf("|"), false);
      for (const part of says) expect(text).toContain(part);
      expect(text).not.toMatch(/lensor-cell|\(alias\)/);
    }
  });
});

describe("cells that come and go", () => {
  test("a deleted cell's names are gone, and those of the cell above show again", async () => {
    const [first, second, third] = notebook("const v = 1", "const v = 'text'", "const n: number = v");
    expect(await errors(third!)).toEqual(["1:7 2322"]);
    cells.remove([second!]);
    expect(await errors(third!)).toEqual([]);
    cells.remove([first!]);
    expect(await errors(third!)).toEqual(["1:19 2304"]);
  });

  test("types follow the document's order, not that of running", async () => {
    const [number, text, use] = notebook("const v = 1", "const v = 'text'", "const n: number = v");
    expect(await errors(use!)).toEqual(["1:7 2322"]);
    cells.arrange([text!, number!, use!]);
    expect(await errors(use!)).toEqual([]);
    cells.arrange([use!, text!, number!]);
    expect(await errors(use!)).toEqual(["1:19 2304"]);
  });

  test("an edited cell changes the types of all below it", async () => {
    const [first, , third] = notebook("const v = 1", "const w = v", "const n: number = w");
    expect(await errors(third!)).toEqual([]);
    cells.put(first!, "const v = 'text'");
    expect(await errors(third!)).toEqual(["1:7 2322"]);
  });

  test("a text that is being typed is completed where its cell stands", async () => {
    notebook("const v = { above: 1 }", "const first = v.above;", "const v = { below: 1 }");
    expect(await matches("const first = v.|;")).toContain("above");
    expect(await matches("v.|")).toContain("below");
  });

  test("where no order is known, a name that only a later cell defines is that one's", async () => {
    const texts = new Texts();
    const alone = new TypeScript(folder, texts);
    try {
      texts.put("use", "const n: number = v");
      texts.put("definition", "const v = 1");
      expect(await alone.diagnose("use")).toEqual([]);
    } finally {
      alone.close();
    }
  });

  test("a thousand lines of a console keep their names, the oldest of more do not", () => {
    const texts = new Texts();
    for (let i = 0; i <= 1000; i++) texts.put(`request-${i}`, `const v${i} = ${i}`, true);
    expect(texts.size).toBe(1000);
    expect(draftOf(texts, "v0")).not.toContain("import{v0}");
    expect(draftOf(texts, "v1")).toContain("import{v1}");
  });
});

test("a declaration is shown where detail is asked for", async () => {
  notebook("/** Adds. */\nfunction add(a: number) {\n  return a + 1;\n}");
  expect(await typescript.inspect("add", 3, true)).toContain("return a + 1;\n}");
  const code = "import { squareArea } from 'shapes'; squareArea";
  expect(await typescript.inspect(code, code.length, true)).toContain("export declare function squareArea");
});

test("nothing is written into the notebook's folder", () => {
  expect(readdirSync(folder).toSorted()).toEqual(
    [...new Set(Object.keys(FILES).map((name) => name.split("/")[0]!))].toSorted(),
  );
});

test("a server that was killed is started again, and told everything", async () => {
  notebook("const zebraCount = 3");
  expect(await matches("zeb|")).toContain("zebraCount");
  const { pid } = typescript;
  const running = typescript.complete("zeb", 3);
  process.kill(pid!, "SIGKILL");
  await running.catch(() => {});
  expect(await matches("zeb|")).toContain("zebraCount");
  expect(typescript.pid).not.toBe(pid);
});
