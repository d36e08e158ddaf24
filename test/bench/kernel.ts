/** `lensor bench kernel`: what starting the kernel costs in time and memory, the median of some rounds. */
import { parseArgs } from "node:util";
import { type Figures, measureKernel } from "./kernel-process.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: { rounds: { type: "string", default: "5" } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error(`--rounds: expected 1 or more, got ${values.rounds}`);
const all: Figures[] = [];
for (let round = 0; round < rounds; round++) all.push(await measureKernel());
const median = (pick: (figures: Figures) => number) => all.map(pick).toSorted((a, b) => a - b)[rounds >> 1]!;
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
console.log(`kernel, median of ${rounds}:`);
console.log(`  start to the reply to kernel_info     ${seconds(median((f) => f.info))}`);
console.log(`  start to the reply to the first cell  ${seconds(median((f) => f.cell))}`);
console.log(`  at rest, host and child together      ${megabytes(median((f) => f.rss))} resident`);
console.log(`  the same, shared pages counted once   ${megabytes(median((f) => f.pss))}`);
