// One of a few options, each a button, the chosen one pressed. Relies on input.ts and on how select names its options.

import { checkNames } from "../options.ts";
import { control, labelled } from "./definition.ts";
import { checkLabel, Input } from "./input.ts";
import { choicesOf, type SelectOptions } from "./select.ts";

/**
 * A row of buttons of which one is pressed: `value` is the chosen option itself, not its label.
 * @throws LensorError as `input.select`.
 * @example const better = input.buttons("better", { options: ["neither", "first", "second"] });
 */
export function buttons<const T>(label: string, options: SelectOptions<T>): Input<T> {
  const call = "input.buttons";
  checkLabel(call, label);
  checkNames(call, options ?? null, ["options", "value"]);
  const choices = choicesOf<T>(call, options.options);
  const index = "value" in options ? choices.indexOf(call, options.value) : 0;
  const own = { _options_labels: choices.labels, index, icons: [], tooltips: [], button_style: "" };
  const model = control("ToggleButtons", label, own);
  const rule = { type: "choice" as const, count: choices.labels.length };
  const parts = [labelled(model, "ToggleButtons", { button_width: "auto", font_weight: "" })];
  return new Input<T>(
    { kind: "buttons", label, key: "index", value: index, rule, parts },
    {
      decode: (state) => choices.values[state as number]!,
      encode: (value) => choices.indexOf(`input ${JSON.stringify(label)}`, value),
      text: (value) => choices.labelOf(value),
    },
  );
}
