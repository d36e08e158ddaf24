// What `input` is: one method a kind of input. Relies on each kind's own file.

import { button } from "./button.ts";
import { buttons } from "./buttons.ts";
import { colour } from "./colour.ts";
import { date } from "./date.ts";
import { file } from "./file.ts";
import { number } from "./number.ts";
import { play } from "./play.ts";
import { multiSelect, select } from "./select.ts";
import { range, slider } from "./slider.ts";
import { checkbox, toggle } from "./switch.ts";
import { text } from "./text.ts";

export type { ChosenFile } from "./file.ts";
export { Input, type ReadInput } from "./input.ts";

/** Inputs to show in a notebook: real Jupyter widgets, and `value` to read. A cell that reads a `value` depends on it. */
export const input = {
  slider,
  range,
  number,
  select,
  multiSelect,
  checkbox,
  toggle,
  text,
  button,
  buttons,
  colour,
  color: colour,
  date,
  file,
  play,
};
