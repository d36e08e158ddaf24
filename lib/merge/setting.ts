// A number (or a flag) that may differ from layer to layer and from tensor to tensor: one value, values that layers pass
// through, or rules by name. The meaning is mergekit's, so that its files say the same here.

import { LensorError } from "../errors.ts";
import { transformersName } from "../model/transformers.ts";
import { describe } from "../options.ts";

export type Value = number | boolean;

/** The first rule whose filter is part of a tensor's name counts; without a filter it fits all. */
export interface Rule {
  /** Part of a name, lensor's or transformers': "attn", "mlp", "blk.3.", "self_attn.q_proj". */
  readonly filter?: string;
  readonly value: Value | readonly Value[];
}

/**
 * One value; or values from the first layer to the last, numbers in between on straight lines; or rules by name. The embedding,
 * the last norm and the head have the first of several values.
 */
export type Setting = Value | readonly Value[] | Rule | readonly Rule[];

/** Its value for a tensor; undefined where no rule fits. @param depth Of the tensor's layer, 0 to 1 */
export function valueAt(setting: Setting, name: string, depth: number): Value | undefined {
  if (isRules(setting)) {
    const fits = ({ filter }: Rule) =>
      filter === undefined ||
      filter === "*" ||
      [name, transformersName(name)].some((one) => one.includes(filter));
    const rule = listOf(setting).find(fits);
    return rule && valueAt(rule.value, name, depth);
  }
  if (!Array.isArray(setting)) return setting as Value;
  const values = setting as Value[];
  const at = depth * (values.length - 1);
  const before = Math.floor(at);
  const [a, b] = [values[before]!, values[Math.min(values.length - 1, before + 1)]!];
  return typeof a === "number" && typeof b === "number" ? (1 - (at - before)) * a + (at - before) * b : a;
}

/** The same setting with other numbers. */
export function mapped(setting: Setting, change: (value: number) => number): Setting {
  const one = (value: Value) => (typeof value === "number" ? change(value) : value);
  const several = (value: Value | readonly Value[]) =>
    Array.isArray(value) ? value.map(one) : one(value as Value);
  if (isRules(setting)) return listOf(setting).map((rule) => ({ ...rule, value: several(rule.value) }));
  return several(setting as Value | readonly Value[]);
}

/** @throws LensorError for what is no setting, and for a value that `check` refuses */
export function checkSetting(
  call: string,
  name: string,
  setting: unknown,
  check: (value: unknown) => void,
): void {
  const refuse = (expected: string, got: unknown) => {
    throw new LensorError(`${call}: ${name} is wrong`, { expected, got: describe(got) });
  };
  const values = (value: unknown) => {
    if (Array.isArray(value) && value.length === 0) refuse("at least one value", value);
    for (const one of Array.isArray(value) ? value : [value]) check(one);
  };
  const isRule = (one: unknown) => typeof one === "object" && one !== null && !Array.isArray(one);
  if (!(Array.isArray(setting) ? setting.some(isRule) : isRule(setting))) {
    values(setting);
    return;
  }
  for (const rule of Array.isArray(setting) ? setting : [setting]) {
    const strange = isRule(rule) ? Object.keys(rule).find((key) => key !== "filter" && key !== "value") : "";
    if (strange !== undefined) refuse("rules of { filter, value }", strange || rule);
    if (rule.filter !== undefined && typeof rule.filter !== "string")
      refuse("a filter that is part of a tensor's name", rule.filter);
    values(rule.value);
  }
}

const isRules = (setting: Setting): setting is Rule | readonly Rule[] =>
  typeof (Array.isArray(setting) ? setting[0] : setting) === "object";

const listOf = (rules: Rule | readonly Rule[]): readonly Rule[] =>
  Array.isArray(rules) ? (rules as readonly Rule[]) : [rules as Rule];
