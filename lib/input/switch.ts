// On or off: a box to tick, or a button that stays down. Relies on input.ts.

import { checkFlag, checkNames } from "../options.ts";
import { control, plainText, style } from "./definition.ts";
import { checkLabel, Input } from "./input.ts";

export interface SwitchOptions {
  /** Whether it is on at first; by default off. */
  value?: boolean;
}

/**
 * A box to tick: `value` is true or false.
 * @example const causal = input.checkbox("causal mask", { value: true });
 */
export function checkbox(label: string, options: SwitchOptions = {}): Input<boolean> {
  const value = initial("input.checkbox", label, options);
  const own = { background: null, description_width: "" };
  return onOff(
    "checkbox",
    label,
    value,
    control("Checkbox", label, { indent: false, value }),
    style("Checkbox", own),
  );
}

/** A button that stays down: `value` is true or false. */
export function toggle(label: string, options: SwitchOptions = {}): Input<boolean> {
  const value = initial("input.toggle", label, options);
  const model = control("ToggleButton", label, { button_style: "", icon: "", tooltip: label, value });
  return onOff("toggle", label, value, model, style("ToggleButton", { description_width: "", ...plainText }));
}

function initial(call: string, label: string, options: SwitchOptions): boolean {
  checkLabel(call, label);
  checkNames(call, options, ["value"]);
  return isOn(call, options.value ?? false);
}

function isOn(call: string, value: boolean): boolean {
  checkFlag(call, "value", value);
  return value;
}

function onOff(
  kind: string,
  label: string,
  value: boolean,
  model: Record<string, unknown>,
  ownStyle: Record<string, unknown>,
): Input<boolean> {
  const part = { model, style: ownStyle, layout: {}, rules: {} };
  return new Input<boolean>(
    { kind, label, key: "value", value, rule: { type: "boolean" }, parts: [part] },
    {
      decode: (state) => state as boolean,
      encode: (given) => isOn(`input ${JSON.stringify(label)}`, given),
      text: String,
    },
  );
}
