// What inputs of numbers have in common: ranges, steps, how many places are shown. And the field to type a number into.
// Relies on input.ts.

import { LensorError } from "../errors.ts";
import { checkFlag, checkNames, checkNumber, describe } from "../options.ts";
import { control, labelled } from "./definition.ts";
import { type Codec, checkLabel, Input } from "./input.ts";

export interface Range {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** Whether only whole numbers count. */
  readonly whole: boolean;
}

export interface NumberOptions {
  /** The least value; none by default. */
  min?: number;
  /** The greatest value, above `min`; none by default. */
  max?: number;
  /** What the arrows add, above 0. */
  step?: number;
  /** By default 0, or the nearest number that is allowed. */
  value?: number;
  /** Whether only whole numbers are allowed. By default when `value`, `min`, `max` and `step` are whole and one of them is given. */
  whole?: boolean;
}

/**
 * A field to type a number into. Dependents follow when it is confirmed with Enter or left.
 * @throws LensorError when `min` is not below `max`, `step` not above 0, or `value` outside.
 * @example const rate = input.number("learning rate", { value: 2e-4, whole: false });
 */
export function number(label: string, options: NumberOptions = {}): Input<number> {
  const call = "input.number";
  checkLabel(call, label);
  checkNames(call, options, ["min", "max", "step", "value", "whole"]);
  const { min, max, step } = options;
  const given = [min, max, step, options.value].filter((n) => n !== undefined);
  const { whole = given.length > 0 && given.every(Number.isSafeInteger) } = options;
  checkFlag(call, "whole", whole);
  if (min !== undefined) checkNumber(call, "min", min, { whole, ...finite });
  if (max !== undefined) checkNumber(call, "max", max, { whole, ...finite });
  if (min !== undefined && max !== undefined) checkRange(call, min, max);
  if (step !== undefined)
    checkNumber(call, "step", step, { least: 0, above: true, whole, most: Number.MAX_VALUE });
  const { value = Math.min(Math.max(0, min ?? 0), max ?? Number.MAX_VALUE) } = options;
  const range = { min: min ?? -Number.MAX_VALUE, max: max ?? Number.MAX_VALUE, whole };
  checkNumber(call, "value", value, { least: range.min, most: range.max, whole });
  const bounded = min !== undefined || max !== undefined;
  const type = whole ? "Int" : "Float";
  const model = control(
    `${bounded ? "Bounded" : ""}${type}Text`,
    label,
    {
      continuous_update: false,
      step: step ?? (whole ? 1 : null),
      value,
      ...(bounded ? { min: range.min, max: range.max } : {}),
    },
    `${type}Text`,
  );
  const rule = { type: "number" as const, ...(bounded ? { min: range.min, max: range.max } : {}), whole };
  return new Input(
    { kind: "number", label, key: "value", value, rule, parts: [labelled(model, "Description")] },
    numberCodec(label, range),
  );
}

const finite = { least: -Number.MAX_VALUE, most: Number.MAX_VALUE };

/** The value is the state's own number. */
export function numberCodec(label: string, { min, max, whole }: Omit<Range, "step">): Codec<number> {
  return {
    decode: (state) => state as number,
    encode(value) {
      checkNumber(`input ${JSON.stringify(label)}`, "value", value, { least: min, most: max, whole });
      return value;
    },
    text: String,
  };
}

/** @throws LensorError unless both are finite and `min` is below `max`. */
export function checkRange(call: string, min: unknown, max: unknown): void {
  checkNumber(call, "min", min, finite);
  checkNumber(call, "max", max, finite);
  if ((min as number) < (max as number)) return;
  throw new LensorError(`${call}: min has to be below max`, {
    got: `min ${describe(min)}, max ${describe(max)}`,
  });
}

/** About a hundredth of a span, as people count: 1, 2 or 5 times a power of ten. */
export function niceStep(span: number): number {
  const least = span / 100;
  const power = 10 ** Math.floor(Math.log10(least));
  // Powers of ten below one are not exact; what is read from their decimal form is.
  return Number(([1, 2, 5, 10].find((n) => n * power >= least * 0.999)! * power).toPrecision(1));
}

/** As many decimal places as a step has, in the words of d3-format. */
export function formatFor(step: number, whole: boolean): string {
  if (whole) return "d";
  const [digits = "", exponent = "0"] = String(step).split("e");
  const places = Math.max(0, (digits.split(".")[1]?.length ?? 0) - Number(exponent));
  return places > 6 ? ".3g" : `.${places}f`;
}
