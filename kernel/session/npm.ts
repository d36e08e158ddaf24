// `%npm install lodash`: npm for the notebook's own folder, with its progress in the cell. Relies on the npm beside this Node,
// or the one on the path. Never goes through a shell, and installs without running any package's own scripts: its code
// runs when a cell imports it, not before. `%npm rebuild NAME` runs them where one is needed.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { host } from "./host.ts";
import { write } from "./streams.ts";

const COMMANDS = new Set(["install", "uninstall", "rebuild", "ls"]);
/** They would take the packages somewhere else. */
const ELSEWHERE = /^(?:-g|-C|--global|--location|--prefix)(?:=|$)/;
const SCRIPTS = /^--(?:no-)?ignore-scripts(?:=|$)/;
const PACE_MS = 300;

export async function npm(line: string, folder: string): Promise<void> {
  const [command = "", ...words] = wordsOf(line);
  if (!COMMANDS.has(command))
    throw new SyntaxError(
      `%npm can ${[...COMMANDS].join(", ")}; this is "${command}". For example: %npm install lodash`,
    );
  const elsewhere = words.find((word) => ELSEWHERE.test(word));
  if (elsewhere)
    throw new SyntaxError(`%npm works in the notebook's folder, ${folder}; ${elsewhere} would leave it.`);
  const asIs = command === "rebuild" || words.some((word) => SCRIPTS.test(word));
  const args = [
    command,
    ...words,
    ...(asIs ? [] : ["--ignore-scripts"]),
    `--prefix=${folder}`,
    ...["--no-fund", "--no-audit", "--no-update-notifier", "--no-progress", "--loglevel=http"],
  ];
  const before = scripted(folder);
  await run(args, folder, `npm ${line}`);
  const skipped = [...scripted(folder)].filter((name) => !before.has(name));
  if (!asIs && skipped.length) {
    const names = skipped.join(" ");
    write("stdout", `Not run: the install scripts of ${names}. Where one is needed: %npm rebuild ${names}\n`);
  }
}

/** Words by spaces, with quotes around those that have some. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((word) => word[1] ?? word[2] ?? word[3]!);
}

async function run(args: readonly string[], folder: string, title: string): Promise<void> {
  const [file, ...first] = npmCommand();
  const child = spawn(file!, [...first, ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    signal: host.signal(),
  });
  const started = performance.now();
  let fetched = 0;
  const state = (): { "text/plain": string } => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    return { "text/plain": `${title}: ${seconds} s${fetched ? `, ${fetched} answers of the registry` : ""}` };
  };
  const shown = host.display(state());
  const timer = setInterval(() => host.update(shown, state()), PACE_MS);
  const pass = (text: string): void => {
    const lines = text.split(/(?<=\n)/);
    fetched += lines.filter(isFetch).length;
    const said = lines.filter((line) => !/^npm (?:http|verbose|timing)/.test(line)).join("");
    if (said) write("stdout", said);
  };
  child.stdout.setEncoding("utf8").on("data", pass);
  child.stderr.setEncoding("utf8").on("data", pass);
  try {
    const code = await new Promise<number | null>((resolve, reject) =>
      child.on("error", reject).on("close", resolve),
    );
    if (code !== 0)
      throw new Error(`${title} ended with exit code ${code}. What npm said of it stands above.`);
  } finally {
    clearInterval(timer);
    host.update(shown, state());
  }
}

function isFetch(line: string): boolean {
  return /^npm http fetch \S+ 2\d\d/.test(line);
}

function npmCommand(): string[] {
  const bin = dirname(process.execPath);
  const scripts = [
    join(bin, "../lib/node_modules/npm/bin/npm-cli.js"),
    join(bin, "node_modules/npm/bin/npm-cli.js"),
  ];
  const script = scripts.find(existsSync);
  return script ? [process.execPath, script] : ["npm"];
}

/** Packages of the folder that have an install script, as npm notes them. */
function scripted(folder: string): Set<string> {
  try {
    const text = readFileSync(join(folder, "node_modules/.package-lock.json"), "utf8");
    const { packages } = JSON.parse(text) as { packages: Record<string, { hasInstallScript?: boolean }> };
    const names = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript);
    return new Set(names.map(([path]) => path.replace(/^.*node_modules\//, "")));
  } catch {
    return new Set();
  }
}
