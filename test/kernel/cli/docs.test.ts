// The documentation: made of a small library's docstrings, a notebook with outputs and the repository's own texts, then read as a
// reader's browser does. docs-whole.test.ts builds the real one.

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { referenceOf } from "../../../kernel/cli/docs/entries.ts";
import { executed } from "../../../kernel/cli/docs/executed.ts";
import type { Reflection, Type } from "../../../kernel/cli/docs/reflections.ts";
import { type Sources, siteOf } from "../../../kernel/cli/docs/site.ts";
import { speltOut } from "../../../kernel/cli/docs/spelt.ts";
import { stageOf } from "../../../kernel/cli/docs/stages.ts";
import { typeHtml } from "../../../kernel/cli/docs/types.ts";
import { readNotebook } from "../../../kernel/cli/run/notebook.ts";
import { packageRoot } from "../../../kernel/session/root.ts";
import { Figure } from "../../../lib/plot/figure.ts";

const root = packageRoot();
const fixtures = join(root, "test/fixtures/docs");
const folder = mkdtempSync(join(tmpdir(), "lensor-docs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What Jupyter saved: a figure's picture, a stream in lines, markup with a script in it, a formula. */
async function notebook(): Promise<string> {
  const figure = new Figure(() => ({
    data: [{ type: "bar", x: ["a", "b"], y: [1, 2] }],
    layout: { font: { color: "#1f2328" } },
  }));
  const outputs = [
    { output_type: "stream", name: "stdout", text: ["one <b>line</b>\n", "another"] },
    {
      output_type: "display_data",
      metadata: {},
      data: { "image/svg+xml": await figure.svg(), "text/plain": "Two bars" },
    },
    {
      output_type: "execute_result",
      metadata: {},
      execution_count: 1,
      data: { "text/html": "<i id=out>kept</i><script>window.ran = 1</script>" },
    },
  ];
  const source = 'import { make, tilt as lean } from "lensor";\nmake("Argo"); boat.make; ({ make: 1 });';
  return JSON.stringify({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      {
        cell_type: "markdown",
        metadata: {},
        source: [
          "# A boat\n",
          "\n",
          "It floats.\n",
          "On it goes.\n",
          "\n",
          "As $x_i*y$ says: [itself](00-boat.ipynb#to-sea).",
        ],
      },
      { cell_type: "code", metadata: {}, source, outputs, execution_count: 1 },
      { cell_type: "markdown", metadata: {}, source: "## To sea\n\n<script>window.ran = 2</script>" },
    ],
  });
}

let sources: Sources;
let files: Map<string, string>;

beforeAll(async () => {
  const file = join(folder, "00-boat.ipynb");
  writeFileSync(file, await notebook());
  const text = (path: string) => readFileSync(join(root, path), "utf8");
  const project = JSON.parse(readFileSync(join(fixtures, "reference.json"), "utf8")) as Reflection;
  sources = {
    version: "1.2.3",
    // Tutorials of the repository are not in this site.
    ...{
      readme: text("README.md").replace(/\(notebooks\/\d\d[\w-]+\.ipynb\)/g, "(notebooks/00-boat.ipynb)"),
      contributing: text("CONTRIBUTING.md"),
    },
    start: text("kernel/cli/docs/start.md").replace(
      /\(notebooks\/\d\d[\w-]+\.ipynb\)/g,
      "(notebooks/00-boat.ipynb)",
    ),
    reference: referenceOf(project),
    tutorials: [
      {
        notebook: readNotebook(file),
        file: readFileSync(file, "utf8"),
        math: (tex) => `<math><mi>${tex.length}</mi></math>`,
      },
    ],
    images: new Map([
      ["notebooks/images/tour.png", new Uint8Array([1])],
      ["notebooks/images/reactive.png", new Uint8Array([1])],
    ]),
    ...{ logo: text("kernel/cli/logo.svg"), license: text("LICENSE") },
  };
  files = new Map(siteOf(sources).map(({ path, content }) => [path, String(content)]));
});

const page = (path: string): string => files.get(path) ?? `no page ${path}`;

describe("the reference", () => {
  test("every exported name has a place, on its stage's page or on its own", () => {
    const places = [...sources.reference.named.values()].map(
      ({ name, page: path, anchor }) => `${name}: ${path}#${anchor}`,
    );
    expect(places.sort()).toEqual([
      "Boat: reference/model/Boat.html#Boat",
      "TiltOptions: reference/align/index.html#TiltOptions",
      "Wind: reference/model/index.html#Wind",
      "make: reference/model/index.html#make",
      "tilt: reference/align/index.html#tilt",
    ]);
    for (const { page: path, anchor } of sources.reference.named.values())
      expect(page(path)).toContain(` id="${anchor}"`);
  });

  test("a call stands with its signature, its words, its options and the tutorials that use it", () => {
    const html = page("reference/align/index.html");
    expect(html).toContain(
      '<b>tilt</b>(boat: <a href="../model/Boat.html#Boat">Boat</a>, options?: <a href="#TiltOptions">TiltOptions</a>): <a href="#Lean">Lean</a>',
    );
    expect(html).toContain("Leans a boat (Archimedes");
    expect(html).toContain("<code>a &lt; b</code> &amp; no more");
    expect(html).toContain('see <a href="../model/Boat.html#Boat.static.weigh">Boat.weigh</a>');
    // A formula keeps its line, where Markdown would make its stars into italics.
    expect(html.replace(/<[^>]*>/g, "")).toContain("angle = most * tanh(wind / weight)");
    expect(html).toContain("<b>Throws</b><p>Error where it would capsize</p>");
    expect(html).toMatch(
      /class="options"><h4 id="TiltOptions">[\s\S]*id="TiltOptions.most"[\s\S]*In degrees: 12\./,
    );
    expect(html).toContain('At work in <a href="../../tutorials/00-boat.html">A boat</a>.');
    expect(html).toContain("lib/align/tilt.ts:");
  });

  test("a type that is spoken of but not exported is told of too, folded and said to be so", () => {
    const html = page("reference/align/index.html");
    expect(html).toMatch(
      /<details class="others">[\s\S]*id="Lean"[\s\S]*interface, not exported[\s\S]*In degrees\./,
    );
    expect(page("reference/index.html")).not.toContain("#Lean");
  });

  test("a class may have one name twice, and a value can be called and have members", () => {
    expect(page("reference/model/Boat.html")).toMatch(
      /id="Boat\.static\.weigh"[\s\S]*Weighs boats that are not there yet[\s\S]*id="Boat\.weigh"[\s\S]*Weighs this one/,
    );
    expect(page("reference/model/index.html")).toMatch(
      /id="make"[\s\S]*Boats by name, or out of wood[\s\S]*id="make\.wooden"/,
    );
  });

  test("a type that is taken from a list or an object is spelt out", () => {
    const named = { type: "query", queryType: { type: "reference", name: "X", target: 1 } };
    const list = { type: "tuple", elements: [{ type: "literal", value: "port" }] };
    const keys = {
      id: 3,
      name: "__type",
      kind: 65_536,
      flags: {},
      children: [{ id: 4, name: "f32", kind: 1024, flags: {} }],
    };
    const value = (type: Type) => () => ({ id: 1, name: "X", kind: 32, flags: {}, type });
    const one = (type: Type, of: Type) =>
      typeHtml(speltOut(type, value(of)), () => undefined).replace(/<[^>]*>/g, "");
    const element = {
      type: "indexedAccess",
      objectType: named,
      indexType: { type: "intrinsic", name: "number" },
    };
    expect(one(element, { type: "typeOperator", operator: "readonly", target: list })).toBe(
      "&quot;port&quot;",
    );
    expect(
      one(
        { type: "typeOperator", operator: "keyof", target: named },
        { type: "reflection", declaration: keys },
      ),
    ).toBe("&quot;f32&quot;");
    expect(one(element, { type: "intrinsic", name: "string" })).toBe("(typeof X)[number]");
  });

  test("a folder of lib that is no stage stops the build", () => {
    expect(() => stageOf("lib/boats/boat.ts")).toThrow(/lib\/boats is no stage/);
    const folders = readdirSync(join(root, "lib"), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    for (const { name } of folders) expect(stageOf(`${name}/x.ts`).folder).toBe(name);
  });
});

describe("a tutorial", () => {
  test("has its outputs, its figures as files that follow the reader's theme, and its formulas", () => {
    const html = page("tutorials/00-boat.html");
    expect(html).toContain("one &lt;b&gt;line&lt;/b&gt;\nanother");
    expect(html).toContain('src="figures/00-boat-1.svg" alt="Two bars"');
    expect(page("tutorials/figures/00-boat-1.svg")).toMatch(
      /<svg [^>]*><style>@media\(prefers-color-scheme:dark\)\{\[fill="#1f2328"\]/,
    );
    expect(html).toContain(`<math><mi>${"x_i*y".length}</mi></math>`);
    expect(html).toContain('<a href="00-boat.html#to-sea">');
    expect(html).toContain('<h2 id="to-sea">');
    expect(page("tutorials/index.html")).toContain("It floats. On it goes.");
  });

  test("links the names that it imports, and not a member or a property that is called alike", () => {
    const html = page("tutorials/00-boat.html");
    const links = html.match(/<a href="[^"]*#make">make<\/a>/g);
    expect(links).toHaveLength(2);
    expect(html).toContain('<a href="../reference/align/index.html#tilt">tilt</a>');
  });

  test("comes from a file that was run, where the committed one has no outputs", async () => {
    const path = join(folder, "01-bare.ipynb");
    const bare = '{"nbformat":4,"metadata":{},"cells":[{"cell_type":"code","source":"1","outputs":[]}]}';
    writeFileSync(path, bare);
    const options = { kept: join(folder, "kept"), lensor: "", run: false, say: () => {} };
    expect(await executed(path, options)).toBe(path);
    const hash = createHash("sha256").update(bare).digest("hex").slice(0, 16);
    const kept = join(options.kept, `01-bare-${hash}.ipynb`);
    mkdirSync(options.kept);
    writeFileSync(kept, bare);
    expect(await executed(path, options)).toBe(kept);
    expect(await executed(join(folder, "00-boat.ipynb"), options)).toBe(join(folder, "00-boat.ipynb"));
  });
});

describe("the build", () => {
  test("fails on a link that leads nowhere, naming it", () => {
    const start = `${sources.start}\n[gone](nowhere.html) and [lost](#nowhere)`;
    expect(() => siteOf({ ...sources, start })).toThrow(
      /start\.html: nowhere\.html \(there is no nowhere\.html\)[\s\S]*start\.html: #nowhere \(start\.html has no such place\)/,
    );
  });

  test("says which section of the README is missing", () => {
    const readme = sources.readme.replace("## In a cell", "## Within a cell");
    expect(() => siteOf({ ...sources, readme })).toThrow(/no section "In a cell"[\s\S]*Within a cell/);
  });
});

const browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const SAFE = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking";

test.skipIf(!browser)(
  "is read from a disk: light and dark, on a phone, by its search alone (needs Chromium)",
  { timeout: 120_000 },
  async () => {
    const site = join(folder, "site");
    for (const [path, content] of files) {
      mkdirSync(dirname(join(site, path)), { recursive: true });
      writeFileSync(join(site, path), content);
    }
    const instance = await chromium.launch({ executablePath: browser!, args: SAFE.split(" ") });
    try {
      const context = await instance.newContext({
        colorScheme: "dark",
        offline: true,
        viewport: { width: 400, height: 800 },
      });
      const tab = await context.newPage();
      const wrong: string[] = [];
      tab.on("pageerror", (error) => wrong.push(error.message));
      tab.on("request", (request) => {
        if (/^https?:/.test(request.url())) wrong.push(request.url());
      });
      await tab.goto(`file://${join(site, "tutorials/00-boat.html")}`);
      expect(await tab.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(18, 22, 27)");
      expect(await tab.evaluate("document.documentElement.scrollWidth")).toBe(400);
      expect(await tab.textContent("#out")).toBe("kept");
      expect(await tab.evaluate("window.ran")).toBeUndefined();
      expect(await tab.evaluate("document.querySelector('.beside').open")).toBe(false);
      await tab.keyboard.press("/");
      await tab.keyboard.type("wooden");
      await tab.waitForSelector("#found a[aria-selected=true]");
      await tab.keyboard.press("Enter");
      await tab.waitForURL(/reference\/model\/index\.html#make\.wooden$/);
      await tab.emulateMedia({ colorScheme: "light" });
      expect(await tab.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(
        "rgb(255, 255, 255)",
      );
      expect(wrong).toEqual([]);
    } finally {
      await instance.close();
    }
  },
);
