// Sliders: one handle or two. Whole numbers where all that is asked for is whole, else decimals with as many places as the
// step has. Relies on input.ts.

import { LensorError } from "../errors.ts";
import { checkChoice, checkFlag, checkNames, checkNumber } from "../options.ts";
import { control, type InputPart, labelled } from "./definition.ts";
import { checkLabel, Input } from "./input.ts";
import { checkRange, formatFor, niceStep, numberCodec, type Range } from "./number.ts";

export interface SliderOptions {
  /** The least value. */
  min: number;
  /** The greatest value, above `min`. */
  max: number;
  /** The distance between neighbouring values, above 0. By default 1 between whole numbers, else about a hundredth of the range. */
  step?: number;
  /** Where it stands at first; by default at `min`. */
  value?: number;
  /** Whether dependents follow while it is dragged (the default), or once it is let go. */
  live?: boolean;
  /** "horizontal" by default. */
  orientation?: "horizontal" | "vertical";
}

const NAMES = ["min", "max", "step", "value", "live", "orientation"];

/**
 * A slider.
 * @param label What stands before it.
 * @throws LensorError when `min` is not below `max`, `step` not above 0, or `value` outside.
 * @example const ratio = input.slider("ratio", { min: 2, max: 100, value: 10 }); ratio.value  // 10
 */
export function slider(label: string, options: SliderOptions): Input<number> {
  const call = "input.slider";
  checkLabel(call, label);
  checkNames(call, options ?? null, NAMES);
  const { value = options.min, live = true, orientation = "horizontal" } = options;
  const range = rangeOf(call, options, [value]);
  checkNumber(call, "value", value, { least: range.min, most: range.max });
  checkCommon(call, live, orientation);
  const part = sliderPart("Slider", label, range, { value, continuous_update: live, orientation });
  const rule = { type: "number" as const, ...bounds(range) };
  return new Input(
    { kind: "slider", label, key: "value", value, rule, parts: [part] },
    numberCodec(label, range),
  );
}

export interface RangeOptions extends Omit<SliderOptions, "value"> {
  /** Where its two handles stand at first, the lower one first; by default at both ends. */
  value?: readonly [number, number];
}

/**
 * A slider with two handles: `value` is `[lower, upper]`.
 * @throws LensorError as `input.slider`, and when the lower value is above the upper.
 * @example const layers = input.range("layers", { min: 0, max: 29, value: [4, 12] });
 */
export function range(label: string, options: RangeOptions): Input<[number, number]> {
  const call = "input.range";
  checkLabel(call, label);
  checkNames(call, options ?? null, NAMES);
  const { value = [options.min, options.max], live = true, orientation = "horizontal" } = options;
  const range = rangeOf(call, options, Array.isArray(value) ? value : []);
  const check = (pair: readonly [number, number]): [number, number] => {
    if (!Array.isArray(pair) || pair.length !== 2 || !(pair[0] <= pair[1]))
      throw new LensorError(`${call}: value is wrong`, {
        expected: "[lower, upper]",
        got: Array.isArray(pair) ? `[${pair.slice(0, 3).join(", ")}]` : typeof pair,
      });
    for (const end of pair)
      checkNumber(call, "value", end, { least: range.min, most: range.max, whole: range.whole });
    return [pair[0], pair[1]];
  };
  const pair = check(value as readonly [number, number]);
  checkCommon(call, live, orientation);
  const own = { value: pair, continuous_update: live, orientation };
  const part = sliderPart("RangeSlider", label, range, own);
  const rule = { type: "pair" as const, ...bounds(range) };
  return new Input<[number, number]>(
    { kind: "range", label, key: "value", value: pair, rule, parts: [part] },
    {
      decode: (state) => [...(state as [number, number])],
      encode: check,
      text: ([lower, upper]) => `${lower} to ${upper}`,
    },
  );
}

/** A slider with its label, also that which another control has beside it. */
export function sliderPart(
  name: "Slider" | "RangeSlider",
  label: string,
  { min, max, step, whole }: Range,
  own: Record<string, unknown>,
): InputPart {
  const model = control(`${whole ? "Int" : "Float"}${name}`, label, {
    behavior: "drag-tap",
    continuous_update: true,
    max,
    min,
    orientation: "horizontal",
    readout: true,
    readout_format: formatFor(step, whole),
    step,
    ...own,
  });
  return labelled(model, "Slider", { handle_color: null });
}

function rangeOf(call: string, options: SliderOptions | RangeOptions, values: readonly unknown[]): Range {
  const { min, max, step } = options;
  checkRange(call, min, max);
  if (step !== undefined) checkNumber(call, "step", step, { least: 0, above: true, most: max - min });
  const whole = [min, max, step ?? 1, ...values].every(Number.isSafeInteger);
  return { min, max, step: step ?? (whole ? 1 : niceStep(max - min)), whole };
}

function bounds({ min, max, whole }: Range): { min: number; max: number; whole: boolean } {
  return { min, max, whole };
}

function checkCommon(call: string, live: unknown, orientation: unknown): void {
  checkFlag(call, "live", live);
  checkChoice(call, "orientation", orientation, ["horizontal", "vertical"]);
}
