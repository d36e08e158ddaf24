/**
 * `lensor bench decode` and `lensor bench prefill`: ours and llama.cpp on the same file and threads, taken in turns in
 * one run, since a shared machine's speed drifts. Ratios can be quoted; times belong to the machine and the hour.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { locate } from "../../lib/model/registry.ts";
import { readBandwidth } from "./memory.ts";
import { installPeer, peerName } from "./peer.ts";
import { type Answer, ask, root, type Task } from "./side.ts";

// A reader of figures wants the sentence, not the stack.
process.once("uncaughtException", (error) => {
  console.error(`lensor bench: ${error.message}`);
  process.exit(1);
});

const what = process.argv[2] === "prefill" ? "prefill" : "decode";
const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    model: { type: "string", default: "smollm2-135m-instruct" },
    threads: { type: "string", default: String(availableParallelism()) },
    rounds: { type: "string", default: "5" },
    context: { type: "string", default: what === "decode" ? "64" : "512" },
    tokens: { type: "string", default: "128" },
  },
});
const count = (name: "threads" | "rounds" | "context" | "tokens", least: number): number => {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`--${name}: expected a whole number of at least ${least}, got ${values[name]}`);
  return value;
};

const rounds = count("rounds", 1);
const { path: file } = await locate(values.model);
const task: Task = {
  what,
  file,
  threads: count("threads", 1),
  context: count("context", 2),
  tokens: count("tokens", 1),
  compute: "fast",
};
installPeer(root);

/** Each contestant of a round, in the order they take turns. */
const contestants: [name: string, run: () => Promise<Answer>][] = [
  ["lensor fast", () => ask("ours", task)],
  [peerName, () => ask("theirs", task)],
];
if (what === "prefill") contestants.push(["lensor exact", () => ask("ours", { ...task, compute: "exact" })]);

console.log(
  `${what}: ${task.threads} thread(s) each, ${task.context} tokens of context` +
    (what === "decode" ? `, ${task.tokens} tokens made, greedy` : ""),
);
const answers = contestants.map((): Answer[] => []);
for (let round = 0; round < rounds; round++) {
  const line = [`  round ${round + 1}:`];
  for (const [index, [name, run]] of contestants.entries()) {
    const result = await run();
    answers[index]!.push(result);
    line.push(`${name} ${result.tokensPerSecond.toFixed(1)} token/s,`);
  }
  console.log(`${line.join(" ")} memory read ${readBandwidth().toFixed(1)} GB/s (one thread)`);
}

const median = (numbers: number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};
const speeds = (list: Answer[]) => list.map((a) => a.tokensPerSecond);
const peer = answers[1]!;
for (const [index, [name]] of contestants.entries()) {
  const mine = answers[index]!;
  const ratio = median(mine.map((a, round) => a.tokensPerSecond / peer[round]!.tokensPerSecond));
  const peak = Math.max(...mine.map((a) => a.peakBytes)) / 1e6;
  console.log(
    `${name.padEnd(24)} median ${median(speeds(mine)).toFixed(1).padStart(7)} token/s` +
      `   ${ratio.toFixed(2)}x the peer   peak memory ${peak.toFixed(0)} MB`,
  );
}
if (what === "decode") {
  const [ours, theirs] = answers.map((list) => list[0]!.made ?? []);
  const same = ours!.findIndex((token, i) => token !== theirs![i]);
  console.log(
    same < 0 ? `the same ${ours!.length} tokens` : `the same tokens up to ${same} of ${ours!.length}`,
  );
}
