// The calls of `merge`: from what a person writes, `merge.slerp(a, b, { t })`, to a plan. Checks names and values before anything is
// opened. Every method is a call of the same form.

import { LensorError } from "../errors.ts";
import type { Stored } from "../model/build.ts";
import { Model } from "../model/model.ts";
import { checkChoice, checkNames, checkNumber, describe } from "../options.ts";
import { checkSeed, drawSeed } from "../tensor/random.ts";
import { Adapter } from "../tune/adapter.ts";
import { finish } from "./finish.ts";
import type { Mergeable } from "./input.ts";
import type { MergedFile } from "./merged-file.ts";
import type { MergeMethod } from "./method.ts";
import { checkSettings, type Plan, type Settings, type Source } from "./plan.ts";
import { checkSetting, mapped, type Setting } from "./setting.ts";

export interface MergeModelsOptions {
  /** How its numbers are kept: "f16" by default. */
  dtype?: Stored;
  /** A folder or a .gguf file to write to, tensor by tensor; without it a model in memory is made. */
  out?: string;
  /** Of what a method draws at random. */
  seed?: number;
  /**
   * Of two models: 0 is the first, 1 the second. Where a method has weights, these are 1 - t and t. 0.5 by default, and of more
   * models equal weights that add up to 1.
   */
  t?: Setting;
}

/** A model of several, with settings of its own before those of the whole merge. */
export type Weighted<Own extends string = string> = {
  model: Mergeable;
  /** `[from, to)`: takes these layers alone. All models of a merge give as many. */
  layers?: readonly [number, number];
} & { [name in Own]?: Setting };

/** A method as it is called: with two models, or with a list. With `out` it gives what was written. */
export interface Merging<Own extends string, Options> {
  readonly method: MergeMethod;
  (a: Mergeable, b: Mergeable, options: Options & { out: string }): Promise<MergedFile>;
  (a: Mergeable, b: Mergeable, options?: Options & { out?: undefined }): Promise<Model>;
  (models: readonly (Mergeable | Weighted<Own>)[], options: Options & { out: string }): Promise<MergedFile>;
  (models: readonly (Mergeable | Weighted<Own>)[], options?: Options & { out?: undefined }): Promise<Model>;
}

/** The verb of a method. */
export function verb<Own extends string, Options extends MergeModelsOptions>(
  method: MergeMethod,
): Merging<Own, Options> {
  const call = `merge.${method.name}`;
  const run = (...given: unknown[]) => {
    const list = Array.isArray(given[0]);
    const models = (list ? given[0] : given.slice(0, 2)) as (Mergeable | Weighted)[];
    const { plan, how } = planOf(call, method, models, (list ? given[1] : given[2]) as Given);
    return finish(call, plan, how);
  };
  return Object.assign(run, { method }) as unknown as Merging<Own, Options>;
}

type Given = (MergeModelsOptions & { base?: Mergeable } & Record<string, unknown>) | undefined;

/** @internal What a call says. */
export function planOf(
  call: string,
  method: MergeMethod,
  given: readonly (Mergeable | Weighted)[],
  options: Given = {},
) {
  const own = method.parameters.map(({ name }) => name);
  const weighs = own.includes("weight");
  const takesBase = method.base !== "none" && method.name !== "slerp";
  const known = [
    "dtype",
    "out",
    "seed",
    ...(weighs || own.includes("t") ? ["t"] : []),
    ...(takesBase ? ["base"] : []),
  ];
  checkNames(call, options, [...known, ...own.filter((name) => name !== "t")]);
  const { dtype = "f16", out, seed = drawSeed(), base, t, ...rest } = options;
  checkChoice(call, "dtype", dtype, ["f32", "f16", "bf16"]);
  checkSeed(seed, call);
  const settings = rest as Settings;
  checkSettings(call, method, settings);
  const entries = given.map((one) => entryOf(call, method, one));
  const two = entries.length === 2;
  if (t !== undefined && !two)
    throw new LensorError(`${call}: t is for two models`, {
      expected: "a weight of each: [{ model, weight }, ...]",
      got: `t and ${entries.length} models`,
    });
  if (t !== undefined) checkT(call, method, t, entries, settings);
  const shared: Settings = method.name === "slerp" ? { ...settings, t: t ?? 0.5 } : settings;
  const weight = (i: number): Setting =>
    two ? (i === 0 ? mapped(t ?? 0.5, (x) => 1 - x) : (t ?? 0.5)) : 1 / entries.length;
  const weightless = weighs && !Object.hasOwn(settings, "weight");
  const sources = entries.map((source, i) =>
    weightless && !Object.hasOwn(source.settings, "weight")
      ? { ...source, settings: { ...source.settings, weight: weight(i) } }
      : source,
  );
  // Layers of several models stand one after the other where a method takes one model at a time.
  const slices =
    method.most === 1 && method.base === "none"
      ? sources.map((one) => ({ sources: [one], settings: {} }))
      : [{ sources, settings: {} }];
  const plan: Plan<Mergeable> = {
    ...{ method, slices, settings: shared },
    base: method.name === "slerp" ? entries[0]?.model : (base ?? commonBase(method, entries)),
  };
  const said = {
    ...(t !== undefined && { t }),
    ...settings,
    entries: entries.map(({ layers, settings }) => ({ layers, ...settings })),
  };
  return { plan, how: { out, dtype, seed, options: { method: method.name, ...said } } };
}

function entryOf(call: string, method: MergeMethod, given: Mergeable | Weighted): Source<Mergeable> {
  const all = [0, Number.POSITIVE_INFINITY] as const;
  if (given instanceof Model || given instanceof Adapter || typeof given !== "object" || given === null)
    return { model: given as Mergeable, layers: all, settings: {} };
  const own = method.parameters.filter(({ of }) => of === "model").map(({ name }) => name);
  checkNames(call, given, ["model", "layers", ...own]);
  const { model, layers = all, ...settings } = given;
  if (!Array.isArray(layers) || layers.length !== 2)
    throw new LensorError(`${call}: layers is wrong`, { expected: "[from, to)", got: describe(layers) });
  checkSettings(call, method, settings as Settings);
  return { model, layers: layers as readonly [number, number], settings: settings as Settings };
}

function checkT(
  call: string,
  method: MergeMethod,
  t: Setting,
  entries: readonly Source<Mergeable>[],
  settings: Settings,
): void {
  checkSetting(call, "t", t, (value) => checkNumber(call, "t", value, { least: 0, most: 1 }));
  if (Object.hasOwn(settings, "weight") || entries.some(({ settings }) => Object.hasOwn(settings, "weight")))
    throw new LensorError(`${call}: t and weight say the same`, {
      expected: `one of them (t: the weights ${method.name === "slerp" ? "" : "1 - t and t"})`,
    });
}

/** The model that all adapters stand beside. */
function commonBase(method: MergeMethod, entries: readonly Source<Mergeable>[]): Model | undefined {
  if (method.base !== "needed") return undefined;
  const bases = entries.map(({ model }) => {
    const adapter = model instanceof Adapter ? model : model instanceof Model ? model.adapter : undefined;
    return adapter?.base;
  });
  return bases.every((base) => base !== undefined && base === bases[0]) ? bases[0] : undefined;
}
