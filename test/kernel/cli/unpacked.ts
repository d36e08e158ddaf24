// The published package as npm would unpack it, without asking a registry: for tests of what stands in it.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../../../kernel/session/root.ts";

/** Packs a copy of this checkout, and unpacks it into `app`/node_modules beside the packages that it needs. @returns its folder */
export async function unpackInto(app: string): Promise<string> {
  const root = packageRoot();
  // Plain JavaScript, since it runs before anything is built.
  const path = pathToFileURL(join(root, "kernel/cli/setup/published.mjs")).href;
  const { published } = (await import(path)) as { published(manifest: object): object };
  const stage = join(app, "stage");
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const part of ["dist", "native", "kernel/cli", "kernel/labextension/static", "LICENSE", "README.md"])
    cpSync(join(root, part), join(stage, part), { recursive: true });
  writeFileSync(join(stage, "package.json"), JSON.stringify(published(manifest)));
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", app], { cwd: stage });
  const modules = join(app, "node_modules");
  mkdirSync(modules);
  const archive = join(app, `lensor-${manifest.version}.tgz`);
  execFileSync("tar", ["-xzf", archive, "-C", modules]);
  execFileSync("mv", [join(modules, "package"), join(modules, "lensor")]);
  for (const name of Object.keys(manifest.dependencies)) {
    const target = join(modules, name);
    if (name.startsWith("@")) mkdirSync(join(target, ".."), { recursive: true });
    if (!existsSync(target)) symlinkSync(join(root, "node_modules", name), target);
  }
  return join(modules, "lensor");
}
