/** `lensor bench suite...`: runs the suites that were asked for, prints their figures, and writes them as JSON. */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import type { Contest, Figure, Reading } from "./figure.ts";
import { measure, Sides } from "./measure.ts";
import { type Options, parseOptions } from "./options.ts";
import { INSTALL, installPeers } from "./peers.ts";
import { figureLines, readingLines } from "./report.ts";
import { align } from "./suites/align.ts";
import { attention } from "./suites/attention.ts";
import { compress } from "./suites/compress.ts";
import { data } from "./suites/data.ts";
import { gemm } from "./suites/gemm.ts";
import { decode, prefill } from "./suites/generate.ts";
import { interrupt } from "./suites/interrupt.ts";
import { kv } from "./suites/kv.ts";
import { memory } from "./suites/memory.ts";
import { quality } from "./suites/quality.ts";
import { train } from "./suites/train.ts";

/** Ours against peers, something of ours that is watched alone, or both. */
export interface Suite {
  rounds?: number;
  contests?(options: Options): Contest[] | Promise<Contest[]>;
  fresh?: boolean;
  watch?(options: Options): AsyncIterable<Reading>;
}

const SUITES: Readonly<Record<string, Suite>> = {
  ...{ gemm, attention, decode, prefill, train, align, data, kv, quality, compress, memory, interrupt },
};

// A reader of figures wants the sentence, not the stack.
process.once("uncaughtException", (error) => {
  console.error(`lensor bench: ${error.message}`);
  process.exit(1);
});

if (process.argv.includes("--install-peers")) {
  installPeers();
  process.exit(0);
}
const options = parseOptions(process.argv.slice(2), Object.keys(SUITES));
const say = (lines: string[]) => (options.json === "-" ? console.error : console.log)(lines.join("\n"));
const chosen = ({ name }: { name: string }) =>
  options.only.length === 0 || options.only.some((text) => name.includes(text));

const results: (Figure | Reading)[] = [];
const missing = new Set<string>();
for (const name of options.suites) {
  say([`\n${name}, ${options.threads} thread(s)`]);
  const suite = SUITES[name]!;
  const sides = new Sides(options.threads);
  try {
    for (const contest of ((await suite.contests?.(options)) ?? []).filter(chosen)) {
      const figure = await measure(name, contest, sides, options.rounds ?? suite.rounds!);
      results.push(figure);
      say(figureLines(figure));
      if (suite.fresh) sides.close();
    }
  } finally {
    sides.close();
    for (const one of sides.missing) missing.add(one);
  }
  for await (const reading of suite.watch?.(options) ?? []) {
    results.push(reading);
    say(readingLines(reading));
  }
}
for (const one of missing) say([`\nskipped: ${one}. Install the peers with: ${INSTALL}`]);
const missed = results.flatMap((one) => one.missed.map((text) => `${one.suite} ${one.name}: ${text}`));
if (missed.length > 0) say(["", "missed:", ...missed.map((text) => `  ${text}`)]);
if (options.json) {
  const text = `${JSON.stringify({ cpu: cpus()[0]?.model, results }, null, 1)}\n`;
  if (options.json === "-") process.stdout.write(text);
  else writeFileSync(options.json, text);
}
