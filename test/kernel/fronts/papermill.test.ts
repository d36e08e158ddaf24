// Parameters that papermill passes: through the translator of the wheel, laid out as pip would, and not without it.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../../kernel/session/root.ts";
import { notebookOf } from "../../notebook.ts";
import { PATIENCE, Tools, textOf } from "./tools.ts";

let tools: Tools;
beforeAll(() => {
  tools = new Tools("papermill");
  const notebook = JSON.parse(
    notebookOf([
      'const layer: number = 13; // which layer\nconst words = ["a"];',
      "[layer + 1, words]",
      "typeof nothing",
    ]),
  ) as { cells: { metadata: object }[] };
  notebook.cells[0]!.metadata = { tags: ["parameters"] };
  tools.write("in.ipynb", JSON.stringify(notebook));
  const wheel = join(packageRoot(), "kernel/cli/wheel");
  const site = join(tools.folder, "site");
  const about = join(site, "lensor_jupyter-0.1.0.dist-info");
  mkdirSync(about, { recursive: true });
  const [, engines] = /\[project\.entry-points\."papermill\.engine"\]\n(.*)\n/.exec(
    readFileSync(join(wheel, "pyproject.toml"), "utf8"),
  )!;
  writeFileSync(join(about, "entry_points.txt"), `[papermill.engine]\n${engines!.replaceAll('"', "")}\n`);
  cpSync(join(wheel, "lensor_jupyter"), join(site, "lensor_jupyter"), { recursive: true });
});
afterAll(() => tools?.remove());

const mill = (...args: string[]) =>
  tools.run("papermill", "in.ipynb", "out.ipynb", "--no-progress-bar", ...args);

test(
  "without the wheel papermill refuses parameters, and says why",
  async () => {
    const { status, stderr } = await mill("-p", "layer", "3");
    expect(status).toBe(1);
    expect(stderr).toContain(
      "No parameter translator functions specified for kernel 'lensor' or language 'typescript'",
    );
  },
  PATIENCE,
);

test(
  "with it they are what the cells below mean, text, lists and records as they were given",
  async () => {
    tools.env.PYTHONPATH = join(tools.folder, "site");
    const text = 'it\'s "so"\n\u2028 ☃ 😀 `back` \\';
    const parameters = JSON.stringify({
      layer: 3,
      words: [text, { __proto__: null, deep: [null, true, 0.5] }],
      nothing: null,
    });
    tools.write("parameters.yaml", parameters);
    const { status, stderr } = await mill("-f", "parameters.yaml");
    expect(status, stderr).toBe(0);
    const { cells } = tools.notebook("out.ipynb");
    expect(cells[1]!.metadata.tags).toEqual(["injected-parameters"]);
    expect(cells.slice(2).map(({ outputs }) => outputs.map(textOf))).toEqual([
      [expect.stringMatching(/^\[\s*4,.*☃ 😀 `back`.*deep: \[ null, true, 0.5 \]/s)],
      ["'object'"],
    ]);
  },
  PATIENCE,
);

test(
  "what TypeScript cannot hold is refused before anything runs, and --help-notebook lists the parameters",
  async () => {
    tools.env.PYTHONPATH = join(tools.folder, "site");
    const [large, named, help] = await Promise.all([
      mill("-p", "layer", "9007199254740993"),
      mill("-p", "the-layer", "3"),
      tools.run("papermill", "--help-notebook", "in.ipynb"),
    ]);
    expect([large.status, named.status]).toEqual([1, 1]);
    expect(large.stderr).toContain("whole ones go up to 2^53 - 1");
    expect(named.stderr).toContain('this is "the-layer"');
    expect(help.stdout).toMatch(/layer: number \(default 13\)\s+which layer/);
    expect(help.stdout).toContain('words: Unknown type (default ["a"])');
  },
  PATIENCE,
);
