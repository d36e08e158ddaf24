// Text to type: a line, or several. Relies on input.ts.

import { LensorError } from "../errors.ts";
import { checkFlag, checkNames, checkNumber, describe } from "../options.ts";
import { control, labelled } from "./definition.ts";
import { checkLabel, Input } from "./input.ts";

/** More than anybody types, and a book that somebody pastes. */
const MOST_CHARACTERS = 1_000_000;

export interface TextOptions {
  /** The text at first; by default none. At most a million characters. */
  value?: string;
  /** What stands there, faintly, while there is no text. */
  placeholder?: string;
  /** How many lines the field has, 1 to 50; by default 1. */
  lines?: number;
  /** Whether dependents follow each keystroke, or once the text is confirmed with Enter or left (the default). */
  live?: boolean;
}

/**
 * A field to type text into: `value` is the text.
 * @throws LensorError for a text that is too long, and options of the wrong kind.
 * @example const prompt = input.text("prompt", { value: "The cat sat on the", lines: 3 });
 */
export function text(label: string, options: TextOptions = {}): Input<string> {
  const call = "input.text";
  checkLabel(call, label);
  checkNames(call, options, ["value", "placeholder", "lines", "live"]);
  const { value = "", placeholder = "\u200b", lines = 1, live = false } = options;
  checkText(call, "value", value);
  checkText(call, "placeholder", placeholder);
  checkNumber(call, "lines", lines, { least: 1, most: 50, whole: true });
  checkFlag(call, "live", live);
  const own = { continuous_update: live, placeholder, value };
  const model =
    lines === 1 ? control("Text", label, own) : control("Textarea", label, { ...own, rows: lines });
  const style = { background: null, font_size: null, text_color: null };
  return new Input<string>(
    {
      kind: "text",
      label,
      key: "value",
      value,
      rule: { type: "text", most: MOST_CHARACTERS },
      parts: [labelled(model, "Text", style)],
    },
    {
      decode: (state) => state as string,
      encode: (given) => checkText(`input ${JSON.stringify(label)}`, "value", given),
      text: (given) => (given.length > 100 ? `${given.slice(0, 100)}…` : given),
    },
  );
}

function checkText(call: string, name: string, value: unknown): string {
  if (typeof value === "string" && value.length <= MOST_CHARACTERS) return value;
  throw new LensorError(`${call}: ${name} is wrong`, {
    expected: `a text of at most ${MOST_CHARACTERS} characters`,
    got: typeof value === "string" ? `one of ${value.length}` : describe(value),
  });
}
