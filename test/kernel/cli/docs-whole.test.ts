// The whole documentation (LENSOR_FULL=1), built as `npm run docs` builds it: every export has its place, no link leads nowhere, and
// TypeDoc has nothing to warn of. Fetches TypeDoc into build/docs-tools where it is not there.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseSync } from "oxc-parser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { referenceOf } from "../../../kernel/cli/docs/entries.ts";
import { brokenLinks } from "../../../kernel/cli/docs/links.ts";
import { packageRoot } from "../../../kernel/session/root.ts";

const root = packageRoot();
const fixtures = join(root, "test/fixtures/docs");
const folder = mkdtempSync(join(tmpdir(), "lensor-docs-"));
/** What a program said, and how it ended. */
const run = (args: string[]): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr }),
    );
  });

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(process.env.LENSOR_FULL)("npm run docs", () => {
  const out = join(folder, "whole");
  let result: { code: number; output: string };
  beforeAll(async () => {
    result = await run([join(root, "kernel/cli/docs.mjs"), "--out", out]);
  }, 900_000);

  test("builds all of it, without a warning of TypeDoc's and without a broken link", () => {
    expect(result, result.output).toMatchObject({ code: 0 });
    const made = readdirSync(out, { recursive: true })
      .map(String)
      .filter((path) => /\.(html|svg|png|css|js|ipynb|txt)$/.test(path));
    const all = made.map((path) => ({
      path: path.replaceAll("\\", "/"),
      content: readFileSync(join(out, path), "utf8"),
    }));
    expect(brokenLinks(all)).toEqual([]);
    for (const name of readdirSync(join(root, "notebooks")).filter((one) => one.endsWith(".ipynb")))
      expect(existsSync(join(out, "tutorials", name.replace(".ipynb", ".html"))), name).toBe(true);
  });

  test("has a place for every name that lib/index.ts exports", () => {
    const names = new Set<string>();
    const { module } = parseSync("index.ts", readFileSync(join(root, "lib/index.ts"), "utf8"));
    for (const { entries } of module.staticExports)
      for (const { exportName } of entries) names.add(exportName.name!);
    expect(names.size).toBeGreaterThan(300);
    const { named } = referenceOf(
      JSON.parse(readFileSync(join(root, "build/docs-tools/reference.json"), "utf8")),
    );
    for (const name of names) {
      const entry = named.get(name)!;
      expect(entry, name).toBeDefined();
      expect(readFileSync(join(out, entry.page), "utf8"), name).toContain(` id="${entry.anchor}"`);
    }
  });

  test("reads docstrings as the fixture of the short tests was read", { timeout: 300_000 }, async () => {
    const tools = join(root, "build/docs-tools");
    const json = join(folder, "reference.json");
    const options = join(folder, "typedoc.json");
    const entryPoints = [join(fixtures, "lib/index.ts")];
    const tsconfig = join(fixtures, "tsconfig.json");
    writeFileSync(
      options,
      JSON.stringify({ extends: [join(tools, "typedoc.json")], entryPoints, tsconfig, json, pretty: false }),
    );
    const typedoc = join(tools, "node_modules/typedoc/bin/typedoc");
    const { code, output } = await run([typedoc, "--options", options]);
    expect(code, output).toBe(0);
    // To make it anew: this file in the fixture's place.
    expect(JSON.parse(readFileSync(json, "utf8"))).toEqual(
      JSON.parse(readFileSync(join(fixtures, "reference.json"), "utf8")),
    );
  });
});
