// One order of summation (design.md): an element's bits depend on what is summed, never on what is computed beside it, how
// it was cut, packed or laid out, nor on how many threads did it. Random cases, each in every way of compute.ts, in three
// processes of 1, 2 and 3 threads. LENSOR_FULL=1 for many more. A case that fails is shrunk and shown with its seed and
// path, which LENSOR_SEED and LENSOR_PATH take.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, it } from "vitest";
import { instructionSets } from "../instruction-sets.ts";
import { randomModel } from "../model/random-model.ts";
import { saved } from "../model/temporary.ts";
import { CASES, type Kind, MODELS } from "./cases.ts";
import type { Fingerprints } from "./compute.ts";

const register = fileURLToPath(new URL("../../../dist/kernel/session/register.js", import.meta.url));
const child = fileURLToPath(new URL("child.ts", import.meta.url));
const full = Boolean(process.env.LENSOR_FULL);
/** Cases of each kind: about a second's work. */
const RUNS: Record<Kind, number> = {
  ...{ matmul: 30, attention: 25, rows: 40, head: 25 },
  ...{ forward: 15, packed: 15, generate: 10 },
};

/** A process and what it was asked. */
class Computer {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: { found?: Fingerprints; error?: string }) => void>();
  #asked = 0;

  constructor(set: string, threads: number, models: readonly string[]) {
    const env = { ...process.env, LENSOR_CPU: set, LENSOR_THREADS: String(threads) };
    this.#process = fork(child, models, { env, execArgv: ["--import", register] });
    this.#process.on("message", ({ id, ...answer }: { id: number }) => {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
    this.#process.on("exit", (status, signal) => {
      for (const tell of this.#waiting.values())
        tell({ error: `the process of ${threads} thread(s) ended: ${status ?? signal}` });
    });
  }

  async compute(kind: Kind, one: unknown): Promise<Fingerprints> {
    const id = this.#asked++;
    const { found, error } = await new Promise<{ found?: Fingerprints; error?: string }>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#process.send({ id, kind, one });
    });
    if (!found) throw new Error(error);
    return found;
  }

  end(): void {
    this.#process.kill();
  }
}

/** @throws Error with the ways that differ from the first, for each thing */
function expectOne(all: [string, Fingerprints][]): void {
  const problems: string[] = [];
  for (const what of Object.keys(all[0]![1])) {
    const ways = all.flatMap(([threads, found]) =>
      Object.entries(found[what]!).map(([way, hash]) => ({ way: `${way}, ${threads} thread(s)`, hash })),
    );
    const others = ways.filter(({ hash }) => hash !== ways[0]!.hash);
    if (others.length > 0)
      problems.push(`${what}: not as ${ways[0]!.way}: ${others.map(({ way }) => way).join("; ")}`);
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

describe.each(full ? instructionSets() : instructionSets().slice(-1))(
  "the same bits in every way on %s",
  (set) => {
    let computers: [string, Computer][];
    beforeAll(() => {
      const files = MODELS.map((spec, i) => saved(randomModel({ seed: i + 1, ...spec }).bytes));
      computers = [1, 2, 3].map((threads) => [String(threads), new Computer(set, threads, files)]);
    });
    afterAll(() => {
      for (const [, one] of computers) one.end();
    });

    it.each(Object.keys(RUNS) as Kind[])("%s", { timeout: full ? 1_200_000 : 60_000 }, (kind) => {
      const { LENSOR_SEED: seed, LENSOR_PATH: path } = process.env;
      return fc.assert(
        fc.asyncProperty(CASES[kind] as fc.Arbitrary<unknown>, async (one) => {
          const all = computers.map(
            async ([threads, computer]): Promise<[string, Fingerprints]> => [
              threads,
              await computer.compute(kind, one),
            ],
          );
          expectOne(await Promise.all(all));
        }),
        { numRuns: RUNS[kind] * (full ? 20 : 1), ...(seed && { seed: Number(seed) }), ...(path && { path }) },
      );
    });
  },
);
