// A number that counts by itself: play, pause, stop, and a slider to step with. Relies on slider.ts. The page counts, and
// the two widgets share their value through the session.

import { checkFlag, checkNames, checkNumber } from "../options.ts";
import { control, style } from "./definition.ts";
import { checkLabel, Input } from "./input.ts";
import { checkRange, numberCodec } from "./number.ts";
import { sliderPart } from "./slider.ts";

export interface PlayOptions {
  /** The first number, whole; by default 0. */
  min?: number;
  /** The last number, whole, above `min`. */
  max: number;
  /** What is added each time, whole; by default 1. */
  step?: number;
  /** Where it stands at first; by default at `min`. */
  value?: number;
  /** Milliseconds between two numbers, 10 to 60,000; by default 200. */
  interval?: number;
  /** Whether it starts again at the end; by default not. */
  repeat?: boolean;
}

/**
 * Plays through whole numbers: steps of a run, layers, tokens. Dependents that take longer than the interval see the
 * latest number, not every one.
 * @throws LensorError when `min` is not below `max`, or a number is not whole or out of range.
 * @example const layer = input.play("layer", { max: 29 });
 */
export function play(label: string, options: PlayOptions): Input<number> {
  const call = "input.play";
  checkLabel(call, label);
  checkNames(call, options ?? null, ["min", "max", "step", "value", "interval", "repeat"]);
  const { min = 0, max, step = 1, value = min, interval = 200, repeat = false } = options;
  checkRange(call, min, max);
  for (const [name, number] of Object.entries({ min, max })) checkNumber(call, name, number, { whole: true });
  checkNumber(call, "step", step, { least: 1, most: max - min, whole: true });
  checkNumber(call, "value", value, { least: min, most: max, whole: true });
  checkNumber(call, "interval", interval, { least: 10, most: 60_000 });
  checkFlag(call, "repeat", repeat);
  const range = { min, max, step, whole: true };
  const slider = sliderPart("Slider", label, range, { value });
  const counter = {
    model: control("Play", "", {
      interval,
      max,
      min,
      playing: false,
      repeat,
      show_repeat: true,
      step,
      value,
    }),
    style: style("Description", { description_width: "" }),
    layout: {},
    rules: { playing: { type: "page" as const }, repeat: { type: "boolean" as const } },
  };
  const rule = { type: "number" as const, min, max, whole: true };
  return new Input<number>(
    { kind: "play", label, key: "value", value, rule, parts: [slider, counter] },
    numberCodec(label, range),
  );
}
