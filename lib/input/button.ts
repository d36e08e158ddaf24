// A button. Relies on input.ts.

import { checkNames } from "../options.ts";
import { control, plainText, style } from "./definition.ts";
import { checkLabel, Input, type ReadInput, readOnly } from "./input.ts";

/**
 * A button: `value` is how often it was clicked since its cell made it. A cell that reads it runs again at each click.
 * @example const again = input.button("draw again"); again.value; await model.generate(prompt)
 */
export function button(label: string, options: object = {}): ReadInput<number> {
  checkLabel("input.button", label);
  checkNames("input.button", options, []);
  const model = control("Button", label, { button_style: "", icon: "", tooltip: label });
  // A button has no label beside it that could be markup.
  delete model.description_allow_html;
  const part = { model, style: style("Button", { button_color: null, ...plainText }), layout: {}, rules: {} };
  return new Input<number>(
    { kind: "button", label, key: "clicks", value: 0, rule: { type: "clicks" }, parts: [part] },
    {
      decode: (state) => state as number,
      encode: () => readOnly(label, "counts its clicks"),
      text: (clicks) => (clicks === 1 ? "1 click" : `${clicks} clicks`),
    },
  );
}
