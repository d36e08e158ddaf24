// Which file of a notebook the documentation shows: the committed one where it has outputs, else one that was run for it, kept by
// what its text was. Runs notebooks only when asked to, one after another, by `lensor run`.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { readNotebook } from "../run/notebook.ts";
import { hasOutputs } from "./tutorials.ts";

interface Options {
  /** Where those are kept that were run for it. */
  readonly kept: string;
  /** The `lensor` command's file. */
  readonly lensor: string;
  /** Whether to run what has no outputs. */
  readonly run: boolean;
  readonly say: (line: string) => void;
}

/** @returns the file to show. @throws Error where a notebook that is run fails, with its cell's error */
export async function executed(path: string, { kept, lensor, run, say }: Options): Promise<string> {
  if (hasOutputs(readNotebook(path))) return path;
  const hash = createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);
  const file = join(kept, `${basename(path, ".ipynb")}-${hash}.ipynb`);
  if (existsSync(file)) return file;
  if (!run) return path;
  mkdirSync(kept, { recursive: true });
  say(`  running ${basename(path)}`);
  // One that fails leaves its outputs too, up to there: those are not kept.
  const part = `${file}.part`;
  const child = spawn(process.execPath, [lensor, "run", path, "--out", part, "--pictures"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    told = (told + text).slice(-8000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) {
    rmSync(part, { force: true });
    throw new Error(`${basename(path)} did not run to its end (exit status ${code}):\n${told.trim()}`);
  }
  renameSync(part, file);
  return file;
}
