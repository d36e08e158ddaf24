// A run's folder: what the run is, its last two checkpoints and its best one. Writes go on while the run learns, one at a
// time; a run that was killed finds here where it was. Never deletes a file that is not its own.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { LensorError } from "../errors.ts";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import type { Json } from "./objective.ts";

const FACTS = "run.json";
const BEST = "best.safetensors";
/** The last one, and the one before in case the last is damaged. */
const KEPT = 2;

/** What must be the same for a run to go on from another's checkpoint. */
export type Identity = { readonly [name: string]: Json };

interface Facts {
  seed: number;
  identity: Identity;
}

/** The seed of the run that a folder holds: who names none goes on with it. */
export function seedOf(folder: string): number | undefined {
  return factsOf(folder)?.seed;
}

export class RunFolder {
  readonly path: string;
  #writing: Promise<void> | undefined;
  #problem: Error | undefined;

  /** @throws LensorError where the folder cannot be made, or holds another run */
  constructor(path: string, { seed, identity }: Facts) {
    this.path = path;
    const there = factsOf(path);
    const differs =
      there &&
      Object.keys({ ...there.identity, ...identity }).find(
        (name) => JSON.stringify(there.identity[name]) !== JSON.stringify(identity[name]),
      );
    if (differs !== undefined)
      throw new LensorError(`The folder ${path} holds another run`, {
        expected: `${differs} ${JSON.stringify(there!.identity[differs])?.slice(0, 200) ?? "left out"}`,
        got: JSON.stringify(identity[differs])?.slice(0, 200) ?? "nothing",
        fix: "Name another folder, or remove this one to begin anew.",
      });
    if (there) return;
    try {
      mkdirSync(path, { recursive: true });
      const temporary = join(path, `${FACTS}.${process.pid}.part`);
      writeFileSync(temporary, JSON.stringify({ seed, identity } satisfies Facts, null, 2));
      renameSync(temporary, join(path, FACTS));
    } catch (cause) {
      throw new LensorError(`The folder ${path} cannot hold a run: ${(cause as Error).message}`, {
        fix: "Name a folder that can be written to.",
        cause,
      });
    }
  }

  /** The newest checkpoint that is whole, and what was wrong with newer ones. */
  async latest(): Promise<{ checkpoint: Checkpoint | undefined; damaged: string[] }> {
    const damaged: string[] = [];
    for (const name of await this.#checkpoints()) {
      try {
        return { checkpoint: await readCheckpoint(join(this.path, name)), damaged };
      } catch (error) {
        damaged.push((error as Error).message.split("\n")[0]!);
      }
    }
    return { checkpoint: undefined, damaged };
  }

  /** The best checkpoint, where one was kept. */
  async best(): Promise<Checkpoint | undefined> {
    await this.settled();
    const path = join(this.path, BEST);
    return existsSync(path) ? readCheckpoint(path) : undefined;
  }

  /** Begins to write, once what is being written is there. What goes wrong is told by `problem`. */
  async write(checkpoint: Checkpoint, { best }: { best: boolean }): Promise<void> {
    await this.settled();
    const name = `step-${String(checkpoint.snapshot.step).padStart(8, "0")}.safetensors`;
    this.#writing = (async () => {
      await writeCheckpoint(join(this.path, name), checkpoint);
      if (best) await writeCheckpoint(join(this.path, BEST), checkpoint);
      for (const old of (await this.#checkpoints()).slice(KEPT))
        await rm(join(this.path, old), { force: true });
    })().catch((error) => {
      this.#problem = error as Error;
    });
  }

  /** Waits until all is written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** Why the last checkpoint could not be written. */
  get problem(): Error | undefined {
    return this.#problem;
  }

  /** Drops what a process that was killed left half written. */
  async tidy(): Promise<void> {
    for (const name of await readdir(this.path))
      if (/^(step-\d+|best)\.safetensors\.\d+\.part$/.test(name))
        await rm(join(this.path, name), { force: true });
  }

  /** Newest first. */
  async #checkpoints(): Promise<string[]> {
    return (await readdir(this.path))
      .filter((name) => /^step-\d+\.safetensors$/.test(name))
      .sort()
      .reverse();
  }
}

/** A short name for a model's architecture and the types of its weights. */
export function fingerprint(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}

function factsOf(folder: string): Facts | undefined {
  const path = join(folder, FACTS);
  if (!existsSync(path)) return undefined;
  try {
    const facts = JSON.parse(readFileSync(path, "utf8")) as Facts;
    if (Number.isSafeInteger(facts.seed) && typeof facts.identity === "object" && facts.identity)
      return facts;
  } catch {}
  throw new LensorError(`${path} says nothing of a run`, {
    expected: "what a run wrote there",
    fix: "Name another folder, or remove this one to begin anew.",
  });
}
