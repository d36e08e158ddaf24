// Programs that run a notebook from top to bottom with nobody in front of it: nbclient (`jupyter execute`), nbconvert and
// papermill. Each runs the real kernel, from its kernelspec. LENSOR_FULL=1: all of it by each, and the whole tour, with the same
// texts from all three.

import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../../kernel/session/root.ts";
import { notebookOf } from "../../notebook.ts";
import { PATIENCE, type Ran, Tools, textOf } from "./tools.ts";

const PLOTLY = "application/vnd.plotly.v1+json";
const full = Boolean(process.env.LENSOR_FULL);
const WIDGET = "application/vnd.jupyter.widget-view+json";
const good = [
  'import { input, plot } from "lensor";\nconst bars = 2;',
  "const y = Array.from({ length: bars }, (_, i) => i + 1); y",
  'console.log("drawn"); plot({ data: [{ type: "bar", y }], layout: { title: { text: "How high they are" } } })',
  'const width = input.slider("width", { min: 0, max: 9, value: 4 });',
];
const bad = ["let reached = 1; reached", 'throw new RangeError("it ends here");', "reached = 2"];

let tools: Tools;
beforeAll(() => {
  tools = new Tools("nbclient", "nbconvert", "papermill");
  tools.write("good.ipynb", notebookOf(good));
  tools.write("bad.ipynb", notebookOf(bad));
});
afterAll(() => tools?.remove());

const code = ({ cells }: Ran) => cells.filter(({ cell_type }) => cell_type === "code");

function expectGood(ran: Ran): void {
  const [made, listed, drawn, moved] = code(ran).map(({ outputs }) => outputs);
  expect(made).toEqual([]);
  expect(listed!.map(textOf)).toEqual(["[ 1, 2 ]"]);
  expect(drawn!.map(({ output_type }) => output_type)).toEqual(["stream", "execute_result"]);
  expect(textOf(drawn![0]!)).toBe("drawn\n");
  expect(drawn![1]!.data).toMatchObject({ [PLOTLY]: { data: [{ type: "bar", y: [1, 2] }] } });
  expect(JSON.stringify(drawn![1]!.data!["image/svg+xml"])).toContain("How high they are");
  expect(moved!.at(-1)!.data).toMatchObject({ [WIDGET]: { model_id: expect.any(String) } });
  expect(code(ran).map(({ execution_count }) => execution_count)).toEqual([1, 2, 3, 4]);
}

test(
  "nbclient runs it, and keeps the widgets' state",
  async () => {
    const { status, stderr } = await tools.run("jupyter-execute", "good.ipynb", "--output=executed");
    expect(status, stderr).toBe(0);
    const ran = tools.notebook("executed.ipynb");
    expectGood(ran);
    const { model_id } = code(ran)[3]!.outputs.at(-1)!.data![WIDGET] as { model_id: string };
    const { state } = (ran.metadata.widgets as Record<string, { state: Record<string, { state: object }> }>)[
      "application/vnd.jupyter.widget-state+json"
    ]!;
    expect(state[model_id]!.state).toMatchObject({ value: 4, max: 9 });
  },
  PATIENCE,
);

test(
  "nbconvert runs it, and its page has the picture",
  async () => {
    const { status, stderr } = await tools.run(
      "jupyter-nbconvert",
      "--execute",
      "--to",
      "html",
      "good.ipynb",
    );
    expect(status, stderr).toBe(0);
    const page = tools.read("good.html");
    expect(page).toContain("[ 1, 2 ]");
    const [, picture] =
      /jp-RenderedSVG[^>]*>\s*<img[^>]* src="data:image\/svg\+xml;base64,([^"]*)"/.exec(page) ?? [];
    expect(Buffer.from(picture ?? "", "base64").toString()).toMatch(/^<svg.*How high they are.*<\/svg>/s);
  },
  PATIENCE,
);

test.skipIf(!full)(
  "nbconvert stops at an error, and says it",
  async () => {
    const { status, stderr } = await tools.run(
      "jupyter-nbconvert",
      "--execute",
      "--to",
      "notebook",
      "bad.ipynb",
    );
    expect(status).toBe(1);
    expect(stripVTControlCharacters(stderr)).toContain("RangeError: it ends here");
  },
  PATIENCE,
);

test.skipIf(!full)(
  "papermill runs it",
  async () => {
    const { status, stderr } = await tools.run(
      "papermill",
      "good.ipynb",
      "milled.ipynb",
      "--no-progress-bar",
    );
    expect(status, stderr).toBe(0);
    expectGood(tools.notebook("milled.ipynb"));
  },
  PATIENCE,
);

test(
  "papermill stops at an error, which stands in the notebook, and nothing behind it has run",
  async () => {
    const { status, stderr } = await tools.run(
      "papermill",
      "bad.ipynb",
      "stopped.ipynb",
      "--no-progress-bar",
    );
    expect(status).toBe(1);
    expect(stripVTControlCharacters(stderr)).toContain("RangeError: it ends here");
    const ran = code(tools.notebook("stopped.ipynb"));
    const failed = ran.findIndex(({ outputs }) => outputs.some(({ output_type }) => output_type === "error"));
    expect(ran[failed]!.outputs.map(textOf)).toEqual(["RangeError: it ends here"]);
    expect(ran[failed - 1]!.outputs.map(textOf)).toEqual(["1"]);
    expect(ran[failed + 1]).toMatchObject({ execution_count: null, outputs: [] });
  },
  PATIENCE,
);

describe.skipIf(!full)("the tour (LENSOR_FULL=1)", () => {
  beforeAll(() => {
    copyFileSync(join(packageRoot(), "notebooks/00-tour.ipynb"), join(tools.folder, "tour.ipynb"));
  });

  /** No error, its pictures, and the texts that the others show. */
  function expectTour(name: string): void {
    const ran = code(tools.notebook(name));
    expect(ran.flatMap(({ outputs }) => outputs).filter(({ ename }) => ename)).toEqual([]);
    const pictures = ran.flatMap(({ outputs }) => outputs).filter(({ data }) => data?.["image/svg+xml"]);
    expect(pictures.length).toBeGreaterThanOrEqual(12);
    // How long a model has read is told only where it was longer than a moment.
    const isTime = (text: string) => / tokens in [\d.]+ s$/.test(text);
    texts.set(
      name,
      ran.map(({ outputs }) => outputs.map(textOf).filter((text) => !isTime(text))),
    );
    expect(texts.get(name)).toEqual([...texts.values()][0]);
  }
  const texts = new Map<string, string[][]>();

  test.each([
    ["jupyter-execute", ["tour.ipynb", "--output=tour-nbclient", "--timeout=600"], "tour-nbclient.ipynb"],
    [
      "jupyter-nbconvert",
      ["--execute", "--to", "notebook", "tour.ipynb", "--output", "tour-nbconvert.ipynb"],
      "tour-nbconvert.ipynb",
    ],
    ["papermill", ["tour.ipynb", "tour-papermill.ipynb", "--no-progress-bar"], "tour-papermill.ipynb"],
  ] as const)(
    "%s",
    async (name, args, saved) => {
      const { status, stderr } = await tools.run(name, ...args);
      expect(status, stderr).toBe(0);
      expectTour(saved);
    },
    900_000,
  );
});
