// `compare([model, q, thin], metrics)`: carries the measures out, one after the other over all models, and keeps what there is
// when it is ended. Changes no model.

import { LensorError } from "../errors.ts";
import { stopIfInterrupted } from "../host.ts";
import { checkNames, describe } from "../options.ts";
import { quietly, showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import { Comparison, type Failure } from "./comparison.ts";
import { bytes } from "./costs.ts";
import { eachModel, type Measure, type Measured, type Metric, type Study, type Subject } from "./measure.ts";
import { type Compared, referenceOf, subjectsOf } from "./subjects.ts";

export interface CompareOptions {
  /** The name of the one that others are held against; the first by default. */
  reference?: string;
  /** Ends it after the piece of work under way; what was measured stays. */
  signal?: AbortSignal;
}

/** A measure of ours, or any function of a model, of whose number less is better. */
export type ComparedBy = Measure | Metric;

/**
 * Measures models, or caches that hold the same text, side by side: one table and one plot of quality against cost. Bytes are
 * always measured. Shows how far it is.
 *   compare([model, q], perplexity(heldOut))
 *   compare({ base: model, "3 bit": q }, [perplexity(heldOut), kl(heldOut), decodeSpeed()])
 * @throws LensorError for what is no model or measure, and where a measure cannot compare these models
 */
export async function compare(
  models: Compared,
  metrics: ComparedBy | readonly ComparedBy[],
  options: CompareOptions = {},
): Promise<Comparison> {
  checkNames("compare", options, ["reference", "signal"]);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new LensorError("compare: signal is none", {
      expected: "an AbortSignal, as of `new AbortController().signal`",
      got: describe(signal),
    });
  const subjects = subjectsOf(models);
  const reference = referenceOf(subjects, options.reference);
  const measures = measuresOf(metrics);
  for (const measure of measures) measure.check?.(subjects, reference);
  // Bytes take no time.
  const asked = measures.slice(1);
  const progress = showProgress(`Comparing ${subjects.length} models`, Math.max(1, asked.length), {
    amount: (done, total) =>
      `${asked[Math.floor(done)]?.name ?? "bytes"}, ${Math.floor(done)} of ${total} measures`,
    afterMs: 500,
  });
  const results = measures.map(() => subjects.map((): Measured | undefined => undefined));
  const failed: Failure[] = [];
  const shared = new Map<unknown, unknown>();
  let stopped = false;
  try {
    for (const [m, measure] of measures.entries()) {
      if (signal?.aborted) {
        stopped = true;
        break;
      }
      const fail = (place: number, error: unknown) => {
        stopIfInterrupted();
        failed.push({
          name: subjects[place]!.name,
          measure: measure.name,
          problem: (error as Error).message,
        });
      };
      const study: Study = {
        ...{ subjects, reference, shared, fail },
        note: (place, measured) => {
          results[m]![place] = measured;
        },
        proceed: (share) => {
          stopIfInterrupted();
          progress.update(Math.max(0, m - 1 + share));
          if (signal?.aborted) stopped = true;
          return !stopped;
        },
      };
      try {
        await quietly(() => measure.measure(study));
      } catch (error) {
        for (const place of subjects.keys()) if (!results[m]![place]) fail(place, error);
      }
    }
    const found = results.slice(1).flat();
    if (failed.length > 0 && found.every((one) => one === undefined))
      throw new LensorError(`compare: ${failed[0]!.measure} could not be measured\n${failed[0]!.problem}`);
    progress.end(`${subjects.length} models compared${stopped ? ", as far as it came" : ""}`);
    return new Comparison({
      ...{ measures, reference, failed, stopped },
      rows: subjects.map((subject, place) => ({
        name: subject.name,
        provenance: madeBy(subject),
        measured: new Map(measures.map(({ name }, m) => [name, results[m]![place]])),
      })),
      provenance: provenance(subjects[reference]!.name, {
        models: subjects.map(({ name }) => name),
        metrics: measures.map(({ name, options }) => ({ name, ...options })),
      }),
    });
  } catch (error) {
    progress.end("The comparison stopped");
    throw error;
  }
}

/** Bytes first, then what was asked for, each under a name of its own. */
function measuresOf(given: ComparedBy | readonly ComparedBy[]): Measure[] {
  const list = Array.isArray(given) ? (given as readonly ComparedBy[]) : [given as ComparedBy];
  const found = [bytes() as Measure];
  const taken = new Map<string, number>();
  for (const one of list) {
    const measure = measureOf(one);
    if (measure.name === "bytes") continue;
    const before = taken.get(measure.name) ?? 0;
    taken.set(measure.name, before + 1);
    found.push(before === 0 ? measure : renamed(measure, `${measure.name} ${before + 1}`));
  }
  return found;
}

function measureOf(given: ComparedBy): Measure {
  if (typeof (given as Partial<Measure> | undefined)?.measure === "function") return given as Measure;
  if (typeof given !== "function")
    throw new LensorError("compare: that is no measure", {
      expected: "perplexity(text), kl(text), task(rows), decodeSpeed(), ..., or a function of a model",
      got: describe(given),
    });
  const name = given.name || "metric";
  return eachModel(
    { name, unit: "", better: "lower", kind: "quality", options: {} },
    async ({ model, cache }) => {
      if (cache)
        throw new LensorError(`compare: ${name} is a function of a model, and cannot be asked of a cache`);
      const value: unknown = await given(model);
      if (typeof value !== "number")
        throw new LensorError(`compare: ${name} gave no number`, {
          expected: "a number",
          got: describe(value),
        });
      return { value, low: Number.NaN, high: Number.NaN };
    },
  );
}

/** Not by spreading: a measure that is also a function is called by its name. */
function renamed(measure: Measure, name: string): Measure {
  const { unit, better, kind, options, check, paired, beside } = measure;
  return {
    ...{ name, unit, better, kind, options },
    ...(check && { check }),
    ...(paired && { paired }),
    ...(beside && { beside }),
    measure: (study) => measure.measure(study),
  };
}

/** What made a subject, as far as it is known. */
function madeBy({ model, cache }: Subject): string {
  const made = {
    model: model.provenance ?? { model: model.name },
    ...(cache?.kept && { cache: cache.kept.provenance }),
  };
  return JSON.stringify(made);
}
