/**
 * One side of a comparison: a process that lives through many rounds, so that its start is timed by nobody, and answers
 * one request a line with one line of JSON. `prepare` sets up a job, `run` does some of it and says how long that took.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Probe } from "./figure.ts";
import { peerPython } from "./peers.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** What a side is to do, by the name of its handler. */
export interface Job {
  prepare: string;
  args: object;
}

export interface Turn {
  seconds: number;
  /** How much of the job was done in that time: products, tokens. */
  count: number;
  /** The largest resident set of the process so far, in bytes: loading included. */
  peakBytes: number;
  /** For the suites that watch it: what was resident while it ran, and of that what JavaScript's heap took. */
  resident?: { all: number; heap: number };
  /** For a job whose memory is watched: the engine's at its peak, less that of what went in and came out. */
  extraBytes?: number;
  /** Tokens that were made, to show that sides did the same work. */
  made?: number[];
  /** For a job that is about what was made, not how fast: its error by method. */
  found?: Record<string, number>;
}

type Process = ChildProcessByStdio<Writable, Readable, null>;
type Answer = Record<string, unknown>;

export class Side {
  /** What it calls itself, with its version. */
  name = "";
  readonly #child: Process;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: Process) {
    this.#child = child;
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  static async ours(threads: number): Promise<Side> {
    const register = join(root, "dist/kernel/session/register.js");
    const script = fileURLToPath(new URL("ours/main.ts", import.meta.url));
    const side = await Side.#start(process.execPath, ["--import", register, script], threads);
    if (typeof side === "string") throw new Error(`lensor's side did not start: ${side}`);
    return side;
  }

  /** A script of peers/, or the name of the package that it misses. */
  static async peer(script: string, threads: number): Promise<Side | string> {
    const python = peerPython();
    if (!python) return "the peers' folder";
    return Side.#start(python, [fileURLToPath(new URL(`peers/${script}.py`, import.meta.url))], threads);
  }

  static async #start(program: string, args: string[], threads: number): Promise<Side | string> {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, LENSOR_THREADS: String(threads), OMP_NUM_THREADS: String(threads) },
    });
    const side = new Side(child);
    const { ready, missing } = await side.#next();
    if (typeof missing === "string") return missing;
    side.name = String(ready);
    return side;
  }

  async prepare({ prepare, args }: Job): Promise<void> {
    await this.#ask({ prepare, args });
  }

  async run(): Promise<Turn> {
    return (await this.#ask({ run: true })) as unknown as Turn;
  }

  /** Of a side of ours: operations or bytes a second that the machine can do just now. */
  async probe(kind: Probe, milliseconds: number): Promise<number> {
    return (await this.#ask({ probe: kind, milliseconds })).rate as number;
  }

  close(): void {
    this.#child.stdin.end();
    this.#child.kill();
  }

  async #ask(request: object): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return this.#next();
  }

  async #next(): Promise<Answer> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`The process of ${this.name || this.#child.spawnargs.join(" ")} ended early.`);
    const answer = JSON.parse(value) as Answer;
    if (typeof answer.error === "string") throw new Error(`${this.name}: ${answer.error}`);
    return answer;
  }
}
