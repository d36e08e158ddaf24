// `lensor run`, `lensor install` and `node --import lensor/register`, as a person types them.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { escapeHtml, overwritten, scriptJson } from "../../../kernel/cli/run/escape.ts";
import { packageRoot } from "../../../kernel/session/root.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-run-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function node(args: string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

const lensor = (...args: string[]): Promise<Ended> =>
  node([join(packageRoot(), "kernel/cli/lensor.mjs"), ...args]);

type Cell = string | { readonly markdown: string };

function notebook(name: string, cells: readonly Cell[], metadata: object = {}): string {
  const file = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata,
    cells: cells.map((cell, i) =>
      typeof cell === "string"
        ? {
            cell_type: "code",
            id: `c${i}`,
            source: cell.split(/(?<=\n)/),
            metadata: {},
            outputs: [],
            execution_count: null,
          }
        : { cell_type: "markdown", id: `c${i}`, source: cell.markdown, metadata: { kept: true } },
    ),
  };
  writeFileSync(join(folder, name), JSON.stringify(file));
  return name;
}

const rows = (stdout: string): Record<string, unknown>[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const figure = `const figure = { [Symbol.for("Jupyter.display")]: () => ({
  "application/vnd.plotly.v1+json": { data: [{ type: "bar", y: [1, 2], text: ["</script>"] }], layout: {} },
  "text/plain": "Figure" }) };`;

describe("lensor run", () => {
  test("of an input, which nobody can move any more, its value in words is saved", async () => {
    const path = notebook("input.ipynb", [
      'import { input } from "lensor"; const ratio = input.slider("ratio", { min: 2, max: 100, value: 10 });',
      "ratio.value * 2",
    ]);
    const { stdout } = await lensor("run", path, "--json", "--out", "input-out.ipynb");
    expect(rows(stdout).map(({ text }) => text)).toEqual(["ratio: 10", "20"]);
    const saved = JSON.parse(readFileSync(join(folder, "input-out.ipynb"), "utf8"));
    expect(saved.cells[0].outputs[0].data).toEqual({ "text/plain": "ratio: 10" });
  });

  test("--json: one line a cell", async () => {
    const path = notebook("good.ipynb", [
      { markdown: "# Title" },
      "const a: number = 2",
      "console.log('x'); a * 21",
      figure,
    ]);
    const { status, stdout } = await lensor("run", path, "--json");
    expect(status).toBe(0);
    expect(rows(stdout).map(({ seconds, ...row }) => ({ ...row, timed: typeof seconds }))).toEqual([
      { index: 1, status: "ok", text: "", timed: "number" },
      { index: 2, status: "ok", text: "42", timed: "number" },
      { index: 3, status: "ok", text: "Figure", timed: "number" },
    ]);
  });

  test("--pictures: a figure that has a picture is saved as that alone, one that has none as it is", async () => {
    const both = `({ [Symbol.for("Jupyter.display")]: () => ({
      "application/vnd.plotly.v1+json": { data: [], layout: {} }, "image/svg+xml": "<svg/>", "text/plain": "words" }) })`;
    const path = notebook("pictures.ipynb", [both, figure]);
    await lensor("run", path, "--out", "pictures-out.ipynb", "--pictures");
    const saved = JSON.parse(readFileSync(join(folder, "pictures-out.ipynb"), "utf8"));
    expect(saved.cells[0].outputs[0].data).toEqual({ "image/svg+xml": "<svg/>", "text/plain": "words" });
    expect(Object.keys(saved.cells[1].outputs[0].data)).toContain("application/vnd.plotly.v1+json");
    expect((await lensor("run", path, "--pictures")).status).toBe(2);
  });

  test("a failing cell: status 1, its error, nothing after it runs", async () => {
    const path = notebook("bad.ipynb", [
      "1",
      "const f = () => {\n  throw new RangeError('too far')\n}\nf()",
      "console.log('never')",
    ]);
    const { status, stdout, stderr } = await lensor("run", path, "--json");
    expect(status).toBe(1);
    expect(rows(stdout).map((row) => row.status)).toEqual(["ok", "error", "skipped"]);
    expect(stderr).toMatch(
      /bad\.ipynb: cell 1 \(\[2\]\) failed\.\n\nRangeError: too far\n\nCell \[2\], line 2/,
    );
    expect(stderr).not.toContain(String.fromCharCode(27));
  });

  test("names come from above only, whatever ran", async () => {
    const path = notebook("order.ipynb", ["typeof later", "const later = 1"]);
    const { stdout } = await lensor("run", path, "--json");
    expect(rows(stdout)[0]!.text).toBe("'undefined'");
  });

  test("--timeout ends a cell that takes too long", async () => {
    const path = notebook("slow.ipynb", ["while (true) {}"]);
    const { status, stderr } = await lensor("run", path, "--timeout", "0.3");
    expect(status).toBe(1);
    expect(stderr).toMatch(/longer than 0\.3 s/);
  });

  test("--out: the notebook with its outputs, nothing else changed", async () => {
    const path = notebook("out.ipynb", [
      { markdown: "text" },
      "console.log('a'); console.log('b'); 5",
      `const host = (globalThis as any)[Symbol.for("lensor.host")];
       const id = host.display({ "text/plain": "0" });`,
      `host.update(id, { "text/plain": "1" })`,
      "throw new Error('end')",
    ]);
    expect((await lensor("run", path, "--out", "done.ipynb")).status).toBe(1);
    const done = JSON.parse(readFileSync(join(folder, "done.ipynb"), "utf8"));
    const before = JSON.parse(readFileSync(join(folder, path), "utf8"));
    expect(done.cells[0]).toEqual(before.cells[0]);
    expect(done.cells[1]).toMatchObject({
      source: before.cells[1].source,
      execution_count: 1,
      outputs: [
        { output_type: "stream", name: "stdout", text: "a\nb\n" },
        { output_type: "execute_result", execution_count: 1, data: { "text/plain": "5" }, metadata: {} },
      ],
    });
    expect(done.cells[2].outputs[0].data).toEqual({ "text/plain": "1" });
    expect(done.cells[4].outputs[0]).toMatchObject({ output_type: "error", ename: "Error", evalue: "end" });
  });

  test("--html: one page that needs no network and runs nothing but its own two scripts", async () => {
    const path = notebook("page.ipynb", [
      {
        markdown:
          '# A title\n\n<script>bad()</script>\n\nText <b onclick="bad()">b</b> [x](javascript:bad()) **strong** <sub>ok</sub>',
      },
      figure,
      `await display({ [Symbol.for("Jupyter.display")]: () => ({ "text/html": "<em>card</em>" }) })`,
      "const s = '<img src=x onerror=bad()>'; s",
    ]);
    expect((await lensor("run", path, "--html", "page.html")).status).toBe(0);
    // Without Plotly's megabytes, which no failure should print.
    const html = readFileSync(join(folder, "page.html"), "utf8").replace(/(id="plotly">)[^<]+/, "$1");
    expect(html).toContain("<title>A title</title>");
    expect(html).toContain("<strong>strong</strong> <sub>ok</sub>");
    expect(html).toContain("<em>card</em>");
    expect(html).toContain("&lt;script&gt;bad()");
    expect(html).not.toMatch(/<b onclick|href="javascript|<img src=x/);
    expect(html).not.toMatch(/(src|href)="https?:/);
    expect(html).toMatch(/Content-Security-Policy" content="default-src 'none'/);
    expect(html.match(/id="plotly"/g)).toHaveLength(1);
    expect(html.match(/data-figure="0"/g)).toHaveLength(1);
  });

  test.each([
    [["gone.ipynb"], /There is no file gone\.ipynb/],
    [["text.ipynb"], /not JSON/],
    [["old.ipynb"], /nbformat 4/],
    [["python.ipynb"], /its language is python/],
    [["cell.ipynb"], /the source of cell 0 is not text/],
    [[], /expected one notebook/],
    [["good.ipynb", "--timeout", "soon"], /--timeout should be a number of seconds/],
    [["good.ipynb", "--wrong"], /--wrong/],
  ])("refuses %j", async (args, message) => {
    writeFileSync(join(folder, "text.ipynb"), "no json");
    writeFileSync(join(folder, "old.ipynb"), '{"nbformat":3,"worksheets":[]}');
    writeFileSync(join(folder, "cell.ipynb"), '{"nbformat":4,"cells":[{"cell_type":"code","source":5}]}');
    notebook("python.ipynb", ["1"], { kernelspec: { language: "python", name: "python3" } });
    const { status, stderr } = await lensor("run", ...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});

test("lensor install writes a kernelspec that starts this checkout", async () => {
  const { status, stdout } = await lensor("install", "--prefix", "env");
  expect(status).toBe(0);
  const kernels = join(folder, "env/share/jupyter/kernels/lensor");
  expect(stdout).toContain(kernels);
  const spec = JSON.parse(readFileSync(join(kernels, "kernel.json"), "utf8"));
  expect(spec).toMatchObject({
    argv: [process.execPath, join(packageRoot(), "kernel/cli/lensor.mjs"), "kernel", "{connection_file}"],
    language: "typescript",
    interrupt_mode: "message",
  });
  expect(readFileSync(join(kernels, "logo-svg.svg"), "utf8")).toMatch(/^<svg/);
  expect((await lensor("install", "--nowhere")).status).toBe(2);
  expect((await lensor("install", "--prefix")).status).toBe(2);
});

test("lensor says what it can do", async () => {
  expect((await lensor()).stdout).toMatch(/lensor run/);
  expect(await lensor("fly")).toMatchObject({ status: 2, stderr: expect.stringMatching(/no command "fly"/) });
  expect(await lensor("kernel")).toMatchObject({ status: 2 });
});

test("node --import lensor/register runs a TypeScript file", async () => {
  writeFileSync(join(folder, "part.ts"), "export enum Mode { Exact = 'exact' }");
  writeFileSync(join(folder, "values.json"), '{ "n": 2 }');
  writeFileSync(
    join(folder, "experiment.ts"),
    `import { Mode } from "./part";
     import values from "./values.json";
     const n: number = values.n;
     console.log(Mode.Exact, n, typeof (await import("lensor")));
     if (n > 1) throw new Error("at the end") as Error;`,
  );
  const register = join(packageRoot(), "dist/kernel/session/register.js");
  const { status, stdout, stderr } = await node(["--import", register, "experiment.ts"]);
  expect(stdout).toBe("exact 2 object\n");
  expect(status).toBe(1);
  expect(stderr).toMatch(/experiment\.ts:5:/);
});

test("a progress line shows its last state", () => {
  expect(overwritten("a\n\r10 %\r20 %\nlong\rab\r\nend\r")).toBe("a\n20 %\nabng\nend");
});

test("text and JSON cannot break out of the page", () => {
  expect(escapeHtml(`<a href="x" b='y'>&`)).toBe("&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
  expect(scriptJson({ a: "</script><!--\u2028" })).toBe('{"a":"\\u003c/script>\\u003c!--\\u2028"}');
});
