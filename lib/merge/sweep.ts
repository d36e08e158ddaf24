// `merge.sweep`: tries settings of a merge and measures each on held-out text of every skill; then, where it is asked to, searches
// between the best and its neighbours. One merged model is in memory at a time. Never changes what is merged.

import { LensorError } from "../errors.ts";
import { perplexity } from "../evaluate/perplexity.ts";
import type { Texts } from "../evaluate/texts.ts";
import { stopIfInterrupted } from "../host.ts";
import { hub } from "../model/hub.ts";
import { Model } from "../model/model.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import { quietly, showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import { drawSeed } from "../tensor/random.ts";
import { Adapter } from "../tune/adapter.ts";
import type { Mergeable } from "./input.ts";
import { MergeSweep, type SweptMerge, type SweptParent } from "./swept.ts";
import type { MergeModelsOptions, Merging } from "./verbs.ts";

export interface MergeSweepOptions {
  /** Options of the method and the values to try of each, all with all: `{ t: [0, 0.25, 0.5, 0.75, 1] }`. */
  over: Readonly<Record<string, readonly number[]>>;
  /** Held-out text of what each parent can do, by a name: `{ stories: [...], sums: [...] }`. */
  skills: Readonly<Record<string, Texts>>;
  /** How often the best's neighbourhood is halved; 0 by default. */
  refine?: number;
  /** Of what a method draws at random, the same for all. */
  seed?: number;
  /** Ends it after the merge under way; what was measured stays. */
  signal?: AbortSignal;
}

/** What is tried at most: each takes a merge and the reading of every skill. */
const MOST = 1000;
const CALL = "merge.sweep";

/** A list, or an object, whose names they take. */
export type Swept = readonly Mergeable[] | Readonly<Record<string, Mergeable>>;

type Point = Readonly<Record<string, number>>;

/**
 * @param method One of `merge`: `merge.slerp`
 * @param options What is tried and how it is judged, and options of the method that stay: `{ base, density }`
 */
export async function sweep<Own extends string, Options extends MergeModelsOptions>(
  method: Merging<Own, Options>,
  models: Swept,
  options: MergeSweepOptions & Omit<Options, "out" | "dtype">,
): Promise<MergeSweep> {
  const { over, skills, refine = 0, seed = drawSeed(), signal, ...rest } = checked(method, models, options);
  const given = Object.values<Mergeable>(models as Record<string, Mergeable>);
  const parents = await Promise.all(given.map(loaded));
  const names = Array.isArray(models) ? namesOf(parents) : Object.keys(models);
  const first = grid(over);
  const total = parents.length + first.length + 2 * refine * Object.keys(over).length;
  const progress = showProgress(`Sweep of ${first.length} merges`, total, {
    amount: (done, all) => `${done} of ${all} models`,
    afterMs: 500,
  });
  let done = 0;
  const losses = async (model: Model) => {
    const found: Record<string, number> = {};
    for (const [name, texts] of Object.entries(skills)) {
      stopIfInterrupted();
      found[name] = Math.log(await perplexity(texts)(model));
    }
    progress.update(++done);
    const all = Object.values(found);
    return { losses: found, mean: all.reduce((a, b) => a + b, 0) / all.length };
  };
  const rows: SweptMerge[] = [];
  const measure = async (point: Point) => {
    const began = performance.now();
    const run = method as unknown as (models: readonly Mergeable[], options: object) => Promise<Model>;
    const made = await run(parents, { ...rest, ...point, seed });
    const seconds = (performance.now() - began) / 1000;
    try {
      rows.push({ point, ...(await losses(made)), seconds });
    } finally {
      made.dispose();
    }
  };
  const tried = async (points: readonly Point[]) => {
    for (const point of points) {
      if (signal?.aborted) return;
      const known = rows.some((row) =>
        Object.entries(point).every(([name, value]) => row.point[name] === value),
      );
      if (!known) await quietly(() => measure(point));
    }
  };
  try {
    const beside: SweptParent[] = [];
    for (const [i, parent] of parents.entries())
      beside.push({ name: names[i]!, ...(await quietly(() => losses(parent))) });
    await tried(first);
    if (rows.length === 0) throw new LensorError(`${CALL} was ended before a merge was measured`);
    for (let round = 0; round < refine; round++) await tried(between(rows));
    progress.end(`Sweep: ${rows.length} merges measured`);
    const said = {
      method: method.method.name,
      models: parents.map(({ name }) => name),
      over,
      refine,
      ...plain(rest),
    };
    const name = names.join(" + ");
    return new MergeSweep({
      ...{
        rows,
        parents: beside,
        method: method.method.name,
        axes: Object.keys(over),
        stopped: signal?.aborted === true,
      },
      provenance: provenance(name, { ...said, skills: Object.keys(skills) }, seed),
    });
  } catch (error) {
    progress.end("The sweep stopped");
    throw error;
  } finally {
    // What was loaded for it goes with it.
    for (const [i, parent] of parents.entries()) if (typeof given[i] === "string") parent.dispose();
  }
}

function checked<Own extends string, Options extends MergeModelsOptions>(
  method: Merging<Own, Options>,
  models: Swept,
  options: MergeSweepOptions & Omit<Options, "out" | "dtype">,
) {
  const parameters = method?.method?.parameters;
  if (!parameters)
    throw new LensorError(`${CALL} takes a method first`, {
      expected: "merge.slerp or its like",
      got: describe(method),
    });
  if (typeof models !== "object" || models === null || Object.keys(models).length < 2)
    throw new LensorError(`${CALL} takes models to merge`, {
      expected: "two or more: [a, b], or { sums: a, stories: b }",
      got: describe(models),
    });
  const own = parameters.map(({ name }) => name);
  checkNames(CALL, options, ["over", "skills", "refine", "seed", "signal", "base", "t", ...own]);
  const { over, skills, refine = 0 } = options;
  checkNumber(CALL, "refine", refine, { least: 0, most: 20, whole: true });
  checkNames(CALL, over, ["t", ...own]);
  const lists = Object.entries(over ?? {});
  const broken = lists.find(
    ([, values]) => !Array.isArray(values) || !values.length || values.some((x) => typeof x !== "number"),
  );
  const count = lists.reduce((product, [, values]) => product * values.length, 1);
  if (lists.length === 0 || broken || count > MOST)
    throw new LensorError(`${CALL}: over is wrong`, {
      expected: `options and values to try, such as { t: [0, 0.5, 1] }, at most ${MOST} points`,
      got: broken ? `${broken[0]}: ${describe(broken[1])}` : lists.length ? `${count} points` : "none",
    });
  if (typeof skills !== "object" || skills === null || Object.keys(skills).length === 0)
    throw new LensorError(`${CALL}: skills is wrong`, {
      expected: "held-out text by the name of what it shows: { stories: [...], sums: [...] }",
      got: describe(skills),
    });
  return options;
}

function loaded(given: Mergeable): Promise<Model> | Model {
  if (given instanceof Model) return given;
  return given instanceof Adapter ? given.model() : hub.load(given);
}

/** Of those of one name, which of them. */
function namesOf(parents: readonly Model[]): string[] {
  const all = parents.map(({ name }) => name);
  return all.map((name, i) => (all.indexOf(name) === all.lastIndexOf(name) ? name : `${name} (${i + 1})`));
}

function grid(over: MergeSweepOptions["over"]): Point[] {
  return Object.entries(over).reduce<Point[]>(
    (points, [name, values]) =>
      points.flatMap((point) => values.map((value) => ({ ...point, [name]: value }))),
    [{}],
  );
}

/** Halfway from the best to its neighbours, along each option. */
function between(rows: readonly SweptMerge[]): Point[] {
  const { point: best } = rows.reduce((a, b) => (b.mean < a.mean ? b : a));
  return Object.entries(best).flatMap(([name, at]) => {
    const values = [...new Set(rows.map(({ point }) => point[name]!))];
    const below = values.filter((value) => value < at);
    const above = values.filter((value) => value > at);
    const sides = [
      ...(below.length ? [Math.max(...below)] : []),
      ...(above.length ? [Math.min(...above)] : []),
    ];
    return sides.map((side) => ({ ...best, [name]: (side + at) / 2 }));
  });
}

/** What provenance can say of options. */
function plain(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, value instanceof Model ? value.name : value]),
  );
}
