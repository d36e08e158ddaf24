/**
 * One side of a comparison in a process of its own: what it is asked, what it answers, and how it is started.
 * A fresh process a round keeps one side's idle threads and memory out of the other's figures.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Task {
  what: "decode" | "prefill";
  file: string;
  threads: number;
  /** Tokens already read when decoding starts, or the tokens to prefill. */
  context: number;
  /** Tokens to decode. */
  tokens: number;
  compute: "exact" | "fast";
}

export interface Answer {
  tokensPerSecond: number;
  /** The largest resident set of the process so far, bytes: loading included. */
  peakBytes: number;
  /** Tokens the decode made, to show that both sides did the same work. */
  made?: number[];
}

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs `ours` or `theirs` on a task; what the child writes to stderr passes through. */
export function ask(side: "ours" | "theirs", task: Task): Promise<Answer> {
  const register = join(root, "dist/kernel/session/register.js");
  const script = fileURLToPath(new URL(`${side}.ts`, import.meta.url));
  const child = spawn(process.execPath, ["--import", register, script, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, LENSOR_THREADS: String(task.threads) },
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      const line = output.split("\n").find((l) => l.startsWith("answer "));
      if (code === 0 && line) resolve(JSON.parse(line.slice(7)) as Answer);
      else
        reject(
          new Error(`The benchmark process \`${side}\` ended with status ${code}: ${output.slice(-500)}`),
        );
    });
  });
}

export function task(): Task {
  return JSON.parse(process.argv[2] ?? "") as Task;
}

export function answer(tokensPerSecond: number, made?: number[]): void {
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(`\nanswer ${JSON.stringify({ tokensPerSecond, peakBytes, made } satisfies Answer)}\n`);
}

/** The first tokens of a fixed English text, repeated when more are asked for. */
export function textIds(count: number): number[] {
  const file = join(root, "test/fixtures/smollm2.json");
  const { text } = JSON.parse(readFileSync(file, "utf8")) as { text: { ids: number[] } };
  return Array.from({ length: count }, (_, i) => text.ids[i % text.ids.length]!);
}
