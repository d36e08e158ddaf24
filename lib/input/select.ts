// One of several options, or some of them: values of any kind, shown by their labels. Relies on input.ts.

import { LensorError } from "../errors.ts";
import { checkNames, describe } from "../options.ts";
import { control, labelled } from "./definition.ts";
import { checkLabel, Input } from "./input.ts";

export interface SelectOptions<T> {
  /** What there is to choose from: a list, labelled by `String(option)`, or a record from labels to values. */
  options: readonly T[] | Readonly<Record<string, T>>;
  /** The one chosen at first; by default the first. */
  value?: NoInfer<T>;
}

/**
 * A drop-down list: `value` is the chosen option itself, not its label.
 * @throws LensorError when there are no options, two have the same label, or `value` is not among them.
 * @example const head = input.select("head", { options: [0, 3, 7], value: 3 });
 * @example const model = input.select("model", { options: { base, tuned } });
 */
export function select<const T>(label: string, options: SelectOptions<T>): Input<T> {
  const call = "input.select";
  checkLabel(call, label);
  checkNames(call, options ?? null, ["options", "value"]);
  const choices = choicesOf<T>(call, options.options);
  const index = "value" in options ? choices.indexOf(call, options.value) : 0;
  const model = control("Dropdown", label, { _options_labels: choices.labels, index });
  const rule = { type: "choice" as const, count: choices.labels.length };
  return new Input<T>(
    { kind: "select", label, key: "index", value: index, rule, parts: [labelled(model, "Description")] },
    {
      decode: (state) => choices.values[state as number]!,
      encode: (value) => choices.indexOf(`input ${JSON.stringify(label)}`, value),
      text: (value) => choices.labelOf(value),
    },
  );
}

export interface MultiSelectOptions<T> extends Omit<SelectOptions<T>, "value"> {
  /** Those chosen at first; by default none. */
  value?: readonly NoInfer<T>[];
  /** How many lines of the list are shown at once, 1 to 50; by default up to 8. */
  rows?: number;
}

/**
 * A list to choose any number from: `value` is an array of the chosen options, in the order of the list.
 * @throws LensorError as `input.select`.
 * @example const layers = input.multiSelect("layers", { options: [0, 1, 2, 3], value: [0, 3] });
 */
export function multiSelect<const T>(label: string, options: MultiSelectOptions<T>): Input<T[]> {
  const call = "input.multiSelect";
  checkLabel(call, label);
  checkNames(call, options ?? null, ["options", "value", "rows"]);
  const choices = choicesOf<T>(call, options.options);
  const { rows = Math.min(choices.labels.length, 8), value = [] } = options;
  if (!Number.isInteger(rows) || rows < 1 || rows > 50)
    throw new LensorError(`${call}: rows is wrong`, {
      expected: "a whole number from 1 to 50",
      got: describe(rows),
    });
  const indexes = (where: string, chosen: readonly unknown[]): number[] => {
    if (!Array.isArray(chosen))
      throw new LensorError(`${where}: value is wrong`, {
        expected: "an array of options",
        got: describe(chosen),
      });
    return [...new Set(chosen.map((value) => choices.indexOf(where, value)))].sort((a, b) => a - b);
  };
  const index = indexes(call, value);
  const model = control("SelectMultiple", label, { _options_labels: choices.labels, index, rows });
  const rule = { type: "choices" as const, count: choices.labels.length };
  const parts = [labelled(model, "Description")];
  return new Input<T[]>(
    { kind: "multiSelect", label, key: "index", value: index, rule, parts },
    {
      decode: (state) => [...(state as number[])].sort((a, b) => a - b).map((i) => choices.values[i]!),
      encode: (chosen) => indexes(`input ${JSON.stringify(label)}`, chosen),
      text: (chosen) => chosen.map((value) => choices.labelOf(value)).join(", ") || "none",
    },
  );
}

const MOST_OPTIONS = 10_000;
const MOST_LABEL = 200;

interface Choices<T> {
  readonly labels: readonly string[];
  readonly values: readonly T[];
  indexOf(call: string, value: unknown): number;
  labelOf(value: T): string;
}

/** Options by their labels and places. */
export function choicesOf<T>(call: string, options: unknown): Choices<T> {
  if (typeof options !== "object" || options === null)
    throw new LensorError(`${call}: options is wrong`, {
      expected: "a list of options, or a record from labels to values",
      got: describe(options),
    });
  const values: readonly T[] = Array.isArray(options) ? options : Object.values(options);
  const labels = (Array.isArray(options) ? values.map(String) : Object.keys(options)).map((label) =>
    label.length > MOST_LABEL ? `${label.slice(0, MOST_LABEL)}…` : label,
  );
  if (values.length === 0 || values.length > MOST_OPTIONS)
    throw new LensorError(`${call}: options is wrong`, {
      expected: `1 to ${MOST_OPTIONS} options`,
      got: String(values.length),
    });
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined)
    throw new LensorError(`${call}: two options have the label ${JSON.stringify(twice)}`, {
      fix: "Give a record from labels to values: { options: { first: a, second: b } }.",
    });
  return {
    labels,
    values,
    indexOf(where, value) {
      const index = values.findIndex((option) => Object.is(option, value));
      if (index >= 0) return index;
      const known = labels.slice(0, 8).map((label) => JSON.stringify(label));
      throw new LensorError(`${where}: value is not among the options`, {
        expected: known.join(", ") + (labels.length > 8 ? ", ..." : ""),
        got: describe(value),
      });
    },
    labelOf: (value) => labels[values.findIndex((option) => Object.is(option, value))] ?? String(value),
  };
}
