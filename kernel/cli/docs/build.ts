// Builds the documentation into a folder: reads TypeDoc's JSON, the notebooks and the texts, and writes what site.ts makes of
// them. The folder is made anew; a site with a broken link is not written.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readNotebook } from "../run/notebook.ts";
import { referenceOf } from "./entries.ts";
import { executed } from "./executed.ts";
import type { Reflection } from "./reflections.ts";
import { siteOf } from "./site.ts";
import { hasOutputs, type Tutorial } from "./tutorials.ts";

export interface BuildOptions {
  /** The repository. */
  readonly root: string;
  /** TypeDoc's JSON. */
  readonly reference: string;
  /** The folder that becomes the site. */
  readonly out: string;
  /** Where notebooks are kept that were run for it. */
  readonly kept: string;
  /** Whether to run notebooks that have no outputs. */
  readonly run?: boolean;
  readonly math?: Tutorial["math"];
  readonly say?: (line: string) => void;
}

/** @returns how many pages there are, and which notebooks stand there without outputs */
export async function build(options: BuildOptions): Promise<{ pages: number; bare: string[] }> {
  const { root, reference, out, kept, run = false, math, say = () => {} } = options;
  const text = (path: string) => readFileSync(join(root, path), "utf8");
  const notebooks = filesIn(join(root, "notebooks"), /^\d\d-.*\.ipynb$/);
  const tutorials: Tutorial[] = [];
  const bare: string[] = [];
  for (const path of notebooks) {
    const file = await executed(path, { kept, lensor: join(root, "kernel/cli/lensor.mjs"), run, say });
    const notebook = readNotebook(file);
    if (!hasOutputs(notebook)) bare.push(basename(path));
    tutorials.push({ notebook: { ...notebook, path }, file: readFileSync(file, "utf8"), math });
  }
  const files = siteOf({
    version: JSON.parse(text("package.json")).version,
    readme: text("README.md"),
    contributing: text("CONTRIBUTING.md"),
    start: text("kernel/cli/docs/start.md"),
    reference: referenceOf(JSON.parse(readFileSync(reference, "utf8")) as Reflection),
    tutorials,
    images: new Map(
      filesIn(join(root, "notebooks/images"), /\.(png|svg)$/).map((path) => [
        `notebooks/images/${basename(path)}`,
        readFileSync(path),
      ]),
    ),
    logo: text("kernel/cli/logo.svg"),
    license: text("LICENSE"),
  });
  rmSync(out, { recursive: true, force: true });
  for (const { path, content } of files) {
    const file = join(out, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return { pages: files.filter(({ path }) => path.endsWith(".html")).length, bare };
}

const filesIn = (folder: string, wanted: RegExp): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => wanted.test(name))
        .sort()
        .map((name) => join(folder, name))
    : [];
