// What is to be merged, whatever said so, a call or a file: for each run of output layers the models and their layers, with
// the settings of each. Knows which setting counts for a tensor; reads and computes nothing.

import { LensorError } from "../errors.ts";
import { expectedTensors, type ModelConfig } from "../model/config.ts";
import { checkFlag, checkNumber } from "../options.ts";
import type { Input } from "./input.ts";
import type { MergeMethod, Parameter } from "./method.ts";
import { checkSetting, type Setting, type Value, valueAt } from "./setting.ts";

export type Settings = Readonly<Record<string, Setting>>;

export interface Source<M> {
  readonly model: M;
  /** `[from, to)` of its own. */
  readonly layers: readonly [number, number];
  readonly settings: Settings;
}

/** Output layers that the same layers of the same models make. */
export interface Slice<M> {
  readonly sources: readonly Source<M>[];
  readonly settings: Settings;
}

export interface Plan<M> {
  readonly method: MergeMethod;
  readonly base: M | undefined;
  readonly slices: readonly Slice<M>[];
  readonly settings: Settings;
}

/** One tensor of the merged model, and where it comes from. */
export interface Step {
  readonly name: string;
  readonly shape: readonly number[];
  readonly sources: readonly { source: Source<Input>; name: string }[];
  readonly slice: Slice<Input>;
  /** Of its layer in the slice, 0 to 1. */
  readonly depth: number;
}

/** @throws LensorError for values that a method does not know or take */
export function checkSettings(call: string, method: MergeMethod, settings: Settings, their = false): void {
  const named = (parameter: Parameter) => (their ? parameter.theirs : parameter.name);
  for (const [name, setting] of Object.entries(settings)) {
    const parameter = method.parameters.find((one) => named(one) === name);
    if (!parameter)
      throw new LensorError(
        `${call}: ${their ? method.theirs : method.name} has no parameter ${JSON.stringify(name)}`,
        {
          expected: method.parameters.map(named).join(", ") || "none",
        },
      );
    const { least, most, standard } = parameter;
    checkSetting(call, name, setting, (value) => {
      if (typeof standard === "boolean") checkFlag(call, name, value);
      else
        checkNumber(call, name, value, {
          least: least ?? -1e6,
          most: most ?? 1e6,
        });
    });
  }
}

/** The tensors of the merged model in their order. */
export function stepsOf(plan: Plan<Input>, config: ModelConfig): Step[] {
  const steps: Step[] = [];
  const lengths = plan.slices.map(({ sources }) => sources[0]!.layers[1] - sources[0]!.layers[0]);
  for (const [name, shape] of expectedTensors(config)) {
    const [, number, rest] = /^blk\.(\d+)\.(.*)$/.exec(name) ?? [];
    let within = Number(number ?? 0);
    let place = number === undefined && name !== "token_embd.weight" ? plan.slices.length - 1 : 0;
    if (number !== undefined) while (within >= lengths[place]!) within -= lengths[place++]!;
    const slice = plan.slices[place]!;
    const depth = number === undefined ? 0 : lengths[place]! > 1 ? within / (lengths[place]! - 1) : 1;
    const nameIn = ({ layers }: Source<Input>) =>
      rest === undefined ? name : `blk.${layers[0] + within}.${rest}`;
    const sources = slice.sources.map((source) => ({ source, name: nameIn(source) }));
    steps.push({ name, shape, sources, slice, depth });
  }
  return steps;
}

/** What a parameter is for a tensor: the model's own setting before the slice's before the merge's. */
export function settingOf(
  parameter: Parameter,
  plan: Plan<Input>,
  { name, slice, depth }: Step,
  own?: { source: Source<Input>; name: string },
): Value {
  const scopes = [...(own ? [own.source.settings] : []), slice.settings, plan.settings];
  for (const scope of scopes) {
    if (!Object.hasOwn(scope, parameter.name)) continue;
    const value = valueAt(scope[parameter.name]!, own?.name ?? name, depth);
    if (value !== undefined) return value;
  }
  if (parameter.standard !== undefined) return parameter.standard;
  throw new LensorError(`merge.${plan.method.name}: there is no ${parameter.name} for ${own?.name ?? name}`, {
    expected: own ? `one of ${own.source.model.name}, or of the whole merge` : "one of the whole merge",
    fix: "End a list of rules with one that has no filter.",
  });
}

/** @throws LensorError for too few or too many models, a base that is missing, and layers that do not exist */
export function checkPlan(call: string, plan: Plan<Input>): void {
  const { method, base, slices } = plan;
  if (method.base === "needed" && !base)
    throw new LensorError(`${call} needs a base`, {
      expected: `{ base }: the model that the others were tuned from`,
      got: "none",
    });
  for (const { sources } of slices) {
    const others = sources.filter(({ model }) => method.base === "none" || model !== base).length;
    const { least, most = 64 } = method;
    if (others < least || others > most)
      throw new LensorError(`${call} merges ${least === most ? least : `${least} to ${most}`} models`, {
        expected: `${least === most ? "as many" : "so many"}${base && method.base !== "none" ? " beside the base" : ""}`,
        got: String(others),
      });
    const [first] = sources;
    for (const { model, layers } of sources) {
      const [from, to] = layers;
      const whole = Number.isInteger(from) && Number.isInteger(to);
      if (!whole || from < 0 || to <= from || to > model.config.layers)
        throw new LensorError(`${call}: there are no layers ${from} to ${to} in ${model.name}`, {
          expected: `[from, to) within 0 and ${model.config.layers}`,
        });
      if (to - from !== first!.layers[1] - first!.layers[0])
        throw new LensorError(
          `${call}: ${model.name} and ${first!.model.name} give different numbers of layers`,
          {
            expected: `${first!.layers[1] - first!.layers[0]}, as of ${first!.model.name}`,
            got: `${to - from} of ${model.name}`,
          },
        );
    }
  }
}
