// Who is compared: models or caches as people give them, each with a name of its own.

import { LensorError } from "../errors.ts";
import { Cache } from "../kv/cache.ts";
import { Model } from "../model/model.ts";
import { near } from "../near.ts";
import { describe } from "../options.ts";
import type { Provenance } from "../provenance.ts";
import type { Subject } from "./measure.ts";

/** A list, whose members are named after their models, or an object, whose names they take. */
export type Compared = readonly (Model | Cache)[] | Readonly<Record<string, Model | Cache>>;

/** @throws LensorError for what is no model, for caches beside models, and for caches of different text */
export function subjectsOf(given: Compared): Subject[] {
  const expected = "models: [model, smaller], or { base: model, smaller }; or caches that hold the same text";
  if (typeof given !== "object" || given === null || given instanceof Model || given instanceof Cache)
    throw new LensorError("compare takes several models", { expected, got: describe(given) });
  const list: [string | undefined, unknown][] = Array.isArray(given)
    ? given.map((one) => [undefined, one])
    : Object.entries(given);
  if (list.length === 0) throw new LensorError("compare: there is no model", { expected, got: "none" });
  const unnamed = list.map(([name, one], place) => {
    if (one instanceof Model) return { name: name ?? one.name, model: one, cache: undefined };
    if (one instanceof Cache) return { name: name ?? one.model.name, model: one.model, cache: one };
    throw new LensorError(`compare: ${name ?? `number ${place + 1}`} is no model`, {
      expected,
      got: describe(one),
    });
  });
  const caches = unnamed.flatMap(({ cache }) => cache ?? []);
  if (caches.length > 0 && caches.length < unnamed.length)
    throw new LensorError("compare: a cache goes on from a text, and a model begins without one", {
      expected: "models alone, or caches alone",
      got: `${caches.length} of ${unnamed.length} are caches`,
      fix: "Give caches of all of them: await model.prefill(text).",
    });
  const texts = caches.map(({ model, ids }) => model.tokenizer.decode([...ids]));
  const other = texts.findIndex((text) => text !== texts[0]);
  if (other > 0)
    throw new LensorError("compare: the caches hold different texts", {
      expected: `what ${unnamed[0]!.name} holds, ${caches[0]!.length} tokens`,
      got: `${caches[other]!.length} tokens of another text in ${unnamed[other]!.name}`,
    });
  return apart(unnamed);
}

/** A name that was taken becomes what was done to make the model, and where that is not known either, is counted. */
function apart(subjects: readonly Subject[]): Subject[] {
  const taken = new Set<string>();
  return subjects.map((subject) => {
    const own = taken.has(subject.name) ? stepsOf(subject) || subject.name : subject.name;
    let name = own;
    for (let i = 2; taken.has(name); i++) name = `${own} (${i})`;
    taken.add(name);
    return { ...subject, name };
  });
}

/** "sparseGPT 2:4 + gptq 3 bit, group 64": what made it, as far as that is known. */
function stepsOf({ model, cache }: Subject): string {
  const steps: string[] = [];
  for (let made = model.provenance; made; made = made.options.from as Provenance | undefined) {
    const { method, bits, group, sparsity, pattern } = made.options;
    if (typeof method !== "string") continue;
    const kept = typeof pattern === "string" && pattern.includes(":") ? pattern : undefined;
    const share = typeof sparsity === "number" ? `${Number((100 * sparsity).toPrecision(3))} %` : undefined;
    const width =
      bits === undefined ? undefined : `${bits} bit${group === undefined ? "" : `, group ${group}`}`;
    steps.unshift([method, kept ?? share, width].filter(Boolean).join(" "));
  }
  if (model.adapter) steps.push(model.adapter.name);
  if (cache?.kept) steps.push(cache.kept.method);
  return steps.join(" + ");
}

/** The place of the one that others are held against. @throws LensorError with a near name */
export function referenceOf(subjects: readonly Subject[], name: string | undefined): number {
  if (name === undefined) return 0;
  const place = subjects.findIndex((subject) => subject.name === name);
  if (place >= 0) return place;
  const names = subjects.map((subject) => subject.name);
  const hint = near(String(name), names);
  throw new LensorError("compare: reference is none of those that are compared", {
    expected: names.map((one) => JSON.stringify(one)).join(" or "),
    got: describe(name),
    ...(hint && { fix: hint }),
  });
}
