// What `input` is: one method a kind of input. Relies on each kind's own file.

import { number } from "./number.ts";
import { range, slider } from "./slider.ts";

export { Input, type ReadInput } from "./input.ts";

/** Inputs to show in a notebook: real Jupyter widgets, and `value` to read. A cell that reads a `value` depends on it. */
export const input = { slider, range, number };
