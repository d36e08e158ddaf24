/** `lensor bench kernel`: the figures of the kernel, one after another; `--only name` for one of them. */
import { parseArgs } from "node:util";
import { completion } from "./kernel/completion.ts";
import type { Figure } from "./kernel/figure.ts";
import { guards } from "./kernel/guards.ts";
import { interrupt } from "./kernel/interrupt.ts";
import { output } from "./kernel/output.ts";
import { replan } from "./kernel/replan.ts";
import { roundTrip } from "./kernel/round-trip.ts";
import { slider } from "./kernel/slider.ts";
import { start } from "./kernel/start.ts";

// Typed with the end-to-end tests, whose browser it drives.
const page = (await import(new URL("./kernel/page.ts", import.meta.url).href)).page as Figure;

const FIGURES: readonly Figure[] = [
  start,
  roundTrip,
  interrupt,
  completion,
  guards,
  output,
  replan,
  slider,
  page,
];

// A reader of figures wants the sentence, not the stack.
process.once("uncaughtException", (error) => {
  console.error(`lensor bench: ${error.message}`);
  process.exit(1);
});

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: { rounds: { type: "string", default: "5" }, only: { type: "string", multiple: true } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error(`--rounds: expected 1 or more, got ${values.rounds}`);
const names = FIGURES.map(({ name }) => name);
for (const name of values.only ?? [])
  if (!names.includes(name)) throw new Error(`--only: expected one of ${names.join(", ")}, got ${name}`);

const missed: string[] = [];
for (const figure of FIGURES) {
  if (values.only && !values.only.includes(figure.name)) continue;
  console.log(`${figure.name}: ${figure.title}`);
  for (const target of await figure.run(rounds)) missed.push(`${figure.name} ${target}`.trim());
}
if (missed.length) console.log(`\nmissed: ${missed.join("; ")}`);
process.exit(0);
