// An input as plain data: the widgets that show it, in the words of ipywidgets' protocol, and the values they may give.
// Relies on nothing. The session that hosts us opens the widgets and checks what comes back by these rules.
// https://github.com/jupyter-widgets/ipywidgets/blob/main/packages/schema/jupyterwidgetmodels.latest.md

/** The values that a key of a widget's state may take. */
export type InputRule =
  | { type: "number"; min?: number; max?: number; whole?: boolean }
  | { type: "pair"; min: number; max: number; whole?: boolean }
  | { type: "boolean" }
  | { type: "text"; most: number }
  | { type: "colour" }
  | { type: "choice"; count: number }
  | { type: "choices"; count: number }
  | { type: "date"; min?: string; max?: string }
  | { type: "files"; most: number; bytes: number }
  | { type: "clicks" }
  | { type: "page" };

export interface InputPart {
  model: Record<string, unknown>;
  style: Record<string, unknown>;
  layout: Record<string, unknown>;
  /** What a front end may set besides the value. */
  rules: Record<string, InputRule>;
}

export interface InputDefinition {
  kind: string;
  label: string;
  /** Where the widgets' state has the value. */
  key: string;
  value: unknown;
  rule: InputRule;
  /** Widgets that show the same value, side by side. */
  parts: InputPart[];
}

/** A hold on an input: its value as the widget's state has it. */
export interface InputHandle {
  readonly id: string;
  get(): unknown;
  set(value: unknown): void;
}

const CONTROLS = "@jupyter-widgets/controls";
const BASE = "@jupyter-widgets/base";
const VERSION = "2.0.0";

/** The state that every control has, with what is its own. `view`: the name of its view where it is not the model's. */
export function control(
  name: string,
  label: string,
  own: Record<string, unknown>,
  view = name,
): Record<string, unknown> {
  return {
    _dom_classes: [],
    _model_module: CONTROLS,
    _model_module_version: VERSION,
    _model_name: `${name}Model`,
    _view_count: null,
    _view_module: CONTROLS,
    _view_module_version: VERSION,
    _view_name: `${view}View`,
    description: label,
    description_allow_html: false,
    disabled: false,
    tabbable: null,
    tooltip: null,
    ...own,
  };
}

export function style(name: string, own: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    _model_module: CONTROLS,
    _model_module_version: VERSION,
    _model_name: `${name}StyleModel`,
    _view_count: null,
    _view_module: BASE,
    _view_module_version: VERSION,
    _view_name: "StyleView",
    ...own,
  };
}

/** The style of text on a button: the page's own. */
export const plainText = {
  font_family: null,
  font_size: null,
  font_style: null,
  font_variant: null,
  font_weight: null,
  text_color: null,
  text_decoration: null,
};

/** Labels stand in a column of this width, so that inputs under each other line up; longer ones take what they need. */
const LABEL_CHARACTERS = 10;

/** A control whose label stands before it, and of which a front end sets the value alone. `kind`: the name of its style. */
export function labelled(
  model: Record<string, unknown>,
  kind: string,
  own: Record<string, unknown> = {},
): InputPart {
  const more = Math.max(0, String(model.description).length - LABEL_CHARACTERS);
  return {
    model,
    style: style(kind, { description_width: more > 0 ? "initial" : "", ...own }),
    // What the label needs is not taken from the control beside it.
    layout: more > 0 ? { width: `calc(var(--jp-widgets-inline-width) + ${more}ch)`, max_width: "100%" } : {},
    rules: {},
  };
}
