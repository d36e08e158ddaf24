// A colour to pick. Relies on input.ts.

import { LensorError } from "../errors.ts";
import { checkNames, describe } from "../options.ts";
import { control, labelled } from "./definition.ts";
import { checkLabel, Input } from "./input.ts";

export interface ColourOptions {
  /** The colour at first: `#rrggbb`, `#rgb`, or a name that CSS knows. By default a blue, `#0072b2`. */
  value?: string;
}

const COLOUR = /^(#([0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]{3,24})$/i;

/**
 * A colour: `value` is a text as CSS has it, `#rrggbb` when it was picked.
 * @throws LensorError for a value that is no colour.
 */
export function colour(label: string, options: ColourOptions = {}): Input<string> {
  const call = "input.colour";
  checkLabel(call, label);
  checkNames(call, options, ["value"]);
  const { value = "#0072b2" } = options;
  checkColour(call, value);
  const model = control("ColorPicker", label, { concise: false, value });
  const parts = [labelled(model, "Description")];
  return new Input<string>(
    { kind: "colour", label, key: "value", value, rule: { type: "colour" }, parts },
    {
      decode: (state) => state as string,
      encode: (given) => checkColour(`input ${JSON.stringify(label)}`, given),
      text: String,
    },
  );
}

function checkColour(call: string, value: unknown): string {
  if (typeof value === "string" && COLOUR.test(value)) return value;
  throw new LensorError(`${call}: value is wrong`, {
    expected: 'a colour such as "#0072b2" or "teal"',
    got: describe(value),
  });
}
