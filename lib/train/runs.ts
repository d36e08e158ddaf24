// Runs side by side: those of a folder, each in a folder of its own, or runs that are at hand. Reads what they wrote down, never
// what they learnt.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import { Figure } from "../plot/figure.ts";
import { runsFigure } from "../plot/runs.ts";
import { readJournal } from "./checkpoint.ts";
import type { JournalData } from "./journal.ts";
import { Run } from "./run.ts";

/** One run, as it is compared. */
export interface RunSummary {
  /** Its folder's, or what it has of its own among the others. */
  readonly name: string;
  readonly journal: JournalData;
}

/**
 * `await runs("experiments")` for those that were given `folder: "experiments/..."`, or `await runs([a, b])`.
 * @throws LensorError where there are none
 */
export async function runs(given: string | readonly Run<unknown>[]): Promise<Runs> {
  const found = typeof given === "string" ? await inFolder(given) : atHand(given);
  if (found.length > 0) return new Runs(found);
  throw new LensorError("runs: there is nothing to compare", {
    expected: "a folder of runs' folders that hold checkpoints, or a list of runs",
    got: describe(given),
  });
}

/** Runs side by side: their losses in one plot, their ends in one table. */
export class Runs {
  readonly all: readonly RunSummary[];

  /** @internal Use `runs`. */
  constructor(all: readonly RunSummary[]) {
    this.all = all;
  }

  /** Loss and held-out loss of all of them on the same steps. */
  plot(): Figure {
    const { all } = this;
    return new Figure(() => runsFigure(all));
  }

  /** One row a run: run, model, objective, steps, loss (mean of the last tenth), evalLoss, bestEvalLoss, seconds, options. */
  table(): Table {
    const each = <T>(pick: (journal: JournalData) => T) => this.all.map(({ journal }) => pick(journal));
    const scores = each(({ rows }) => rows.flatMap(({ evalLoss }) => (evalLoss === null ? [] : [evalLoss])));
    return tableFromArrays({
      run: this.all.map(({ name }) => name),
      model: each(({ facts }) => facts.name),
      objective: each(({ facts }) => facts.objective),
      steps: Int32Array.from(each(({ rows }) => rows.at(-1)?.step ?? 0)),
      loss: Float64Array.from(each(lastLoss)),
      evalLoss: Float64Array.from(scores, (own) => own.at(-1) ?? Number.NaN),
      bestEvalLoss: Float64Array.from(scores, (own) => (own.length > 0 ? Math.min(...own) : Number.NaN)),
      seconds: Float64Array.from(each(({ seconds }) => seconds)),
      options: each(({ facts }) => JSON.stringify(facts.provenance.options)),
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

function lastLoss({ rows }: JournalData): number {
  const last = rows.slice(-Math.max(1, Math.round(rows.length / 10)));
  return last.reduce((sum, { loss }) => sum + loss!, 0) / last.length;
}

async function inFolder(folder: string): Promise<RunSummary[]> {
  const names = await readdir(folder).catch((cause) => {
    throw new LensorError(`runs: ${folder} cannot be read: ${cause.code ?? cause.message}`, { cause });
  });
  const found: RunSummary[] = [];
  for (const name of names.sort()) {
    const inside = await readdir(join(folder, name)).catch(() => []);
    const newest = inside
      .filter((file) => /^step-\d+\.safetensors$/.test(file))
      .sort()
      .reverse();
    for (const file of newest) {
      // The last may be damaged: then the one before says nearly as much.
      const journal = await readJournal(join(folder, name, file)).catch(() => undefined);
      if (journal) found.push({ name, journal });
      if (journal) break;
    }
  }
  return found;
}

function atHand(given: readonly Run<unknown>[]): RunSummary[] {
  const wrong = Array.isArray(given) ? given.find((one) => !(one instanceof Run)) : given;
  if (!Array.isArray(given) || wrong !== undefined)
    throw new LensorError("runs takes a folder, or a list of runs", {
      expected: "what model.finetune and its like give",
      got: describe(wrong),
    });
  const journals = given.map(({ journal }) => journal.toJSON());
  const names = distinct(journals);
  return journals.map((journal, i) => ({ name: names[i]!, journal }));
}

/** Runs by the options in which they differ: "lr 0.001", or by their number where they do not. */
function distinct(journals: readonly JournalData[]): string[] {
  const options = journals.map(({ facts }) =>
    flat({ ...facts.provenance.options, seed: facts.provenance.seed }),
  );
  const differing = [...new Set(options.flatMap((one) => [...one.keys()]))].filter(
    (name) => new Set(options.map((one) => one.get(name))).size > 1,
  );
  return options.map((one, i) => {
    const words = differing.slice(0, 3).map((name) => `${name} ${one.get(name) ?? "none"}`);
    return words.join(", ").slice(0, 40) || `run ${i + 1}`;
  });
}

/** Leaves of nested options, each by its path: "lr.peak" -> "0.001". */
function flat(value: unknown, path = ""): Map<string, string> {
  if (typeof value !== "object" || value === null) return new Map([[path, String(value)]]);
  const parts = Object.entries(value).flatMap(([name, inner]) => [
    ...flat(inner, path ? `${path}.${name}` : name),
  ]);
  return new Map(parts);
}
