// jupyter-console, as a person at a terminal uses it: lines that are not complete yet, results, errors, a question, completion,
// the pager, an interrupt. LENSOR_FULL=1: the tour, pasted cell by cell.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../../kernel/session/root.ts";
import { codeOf, readNotebook } from "../../notebook.ts";
import { python } from "../jupyter.ts";
import { joined, PATIENCE, Tools } from "./tools.ts";

const ENTER = "\r";
const TAB = "\t";
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const pasted = (code: string) => `\u001b[200~${code}\u001b[201~${ENTER}`;

let tools: Tools;
beforeAll(() => {
  tools = new Tools("jupyter_console", "pexpect");
});
afterAll(() => tools?.remove());

/** What the console shows after each of some keys, until the text that is waited for. */
async function typed(...steps: readonly (readonly [keys: string, wanted: string])[]): Promise<string[]> {
  const script = [join(import.meta.dirname, "console.py"), String(PATIENCE / 1000)];
  const child = spawn(python, script, { cwd: tools.folder, env: tools.env });
  child.stdin.end(JSON.stringify(steps));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  try {
    return JSON.parse(stdout) as string[];
  } catch {
    throw new Error(`console.py: ${stderr || stdout}`);
  }
}

test(
  "lines, results, errors, a question, completion, a pager, an interrupt, the end",
  async () => {
    const [
      start,
      sum,
      open,
      indented,
      defined,
      called,
      failed,
      ,
      answered,
      offered,
      completed,
      page,
      ,
      stopped,
    ] = await typed(
      ["", "In [1]: "],
      [`const a = 20; a + 1${ENTER}`, "In [2]: "],
      [`function twice(x: number) {${ENTER}`, "...: "],
      [`return 2 * x;${ENTER}`, "...: "],
      [`}${ENTER}`, "In [3]: "],
      [`twice(a)${ENTER}`, "In [4]: "],
      [`throw new RangeError("on purpose")${ENTER}`, "In [5]: "],
      // What is waited for must not stand in what is typed: a terminal shows that too.
      [`const who = await prompt("Who is " + "there? ")${ENTER}`, "Who is there? "],
      [`Kit${ENTER}`, "In [6]: "],
      [`who.toUp${TAB}`, "who.toUpperCase"],
      [`()${ENTER}`, "In [7]: "],
      [`twice?${ENTER}`, "In [8]: "],
      [`console.log("be" + "gun"); while (true) {}${ENTER}`, "begun"],
      [CTRL_C, "In [9]: "],
      [CTRL_D, "([y]/n)?"],
    );
    expect(start).toMatch(/lensor \d.*TypeScript on Node/);
    expect(sum).toContain("Out[1]: 21");
    expect(`${open}${indented}${defined}`).not.toContain("Error");
    expect(called).toContain("Out[3]: 40");
    expect(failed).toContain("RangeError: on purpose");
    expect(answered).not.toContain("Error");
    expect(offered).not.toContain("Error");
    expect(completed).toContain("'KIT'");
    expect(page).toContain("function twice(x");
    expect(stopped).toMatch(/Interrupt/);
  },
  3 * PATIENCE,
);

test.skipIf(!process.env.LENSOR_FULL)(
  "the tour (LENSOR_FULL=1)",
  async () => {
    const cells = codeOf(readNotebook(join(packageRoot(), "notebooks/00-tour.ipynb")));
    const shown = await typed(
      ["", "In [1]: "],
      ...cells.map(({ source }, i) => [pasted(joined(source)), `In [${i + 2}]: `] as const),
    );
    const [, , card, anatomy, tokens, , surprise, , search] = shown;
    expect(shown.filter((text) => text.includes("Error"))).toEqual([]);
    // What fills in place (a slow figure, text that is being generated) stays as it began: this console passes over updates.
    expect(card).toMatch(/Out\[2\]: \s*smollm2-135m-instruct\s+architecture llama/);
    expect(anatomy).toMatch(/Out\[3\]: \s*[\d.]+\s% of the bytes/);
    expect(tokens).toMatch(/Out\[4\]: \s*When ·Mary ·and ·John/);
    expect(surprise).toMatch(/Out\[6\]: \s*Least expected was/);
    expect(search).toMatch(/Out\[8\]: \s*How much each head looks at the word before/);
    expect(shown.at(-1)).toMatch(/Out\[18\]: \{ mean: [\d.]+, productIsFreed: true \}/);
  },
  900_000,
);
