// The host's side of inputs: a mirror of every widget's state, so that moving a slider, reloading the page or opening a
// second one is answered while a cell computes. Relies on comms for the front ends and on the child for what values mean.
// Believes no message that breaks an input's rules (accept.ts), and never sends the child more than it has taken.
// https://github.com/jupyter-widgets/ipywidgets/blob/main/packages/schema/messages.md

import { randomUUID } from "node:crypto";
import {
  type Definition,
  type FileRecord,
  isDefinition,
  keeps,
  MOST_INPUTS,
  type Part,
  type Rule,
} from "./accept.ts";
import type { Comm, Comms } from "./comms.ts";

const TARGET = "jupyter.widget";
const CONTROL = "jupyter.widget.control";
const PROTOCOL = { version: "2.1.0" };
const BASE = "@jupyter-widgets/base";
const CONTROLS = "@jupyter-widgets/controls";
const VERSION = "2.0.0";

type State = Readonly<Record<string, unknown>>;

/** What the child says of its inputs. */
export type WidgetEvent =
  | {
      readonly event: "widget-open";
      readonly id: string;
      readonly cell: string;
      readonly definition: Definition;
    }
  /** Code has set the value. */
  | { readonly event: "widget-value"; readonly id: string; readonly value: unknown }
  /** The last value sent has been looked at, and this one holds now; none for files, which code cannot set. */
  | { readonly event: "widget-took"; readonly id: string; readonly value?: unknown }
  | { readonly event: "widget-close"; readonly ids: readonly string[] };

/** A value for the child to check and take; `files` are the bytes of its files in base64. Without one the widget is gone. */
export interface WidgetCommand {
  readonly op: "widget";
  readonly id: string;
  readonly value?: unknown;
  readonly files?: readonly string[];
}

type Change = Pick<WidgetCommand, "value" | "files">;

interface Model {
  readonly id: string;
  readonly comm: Comm;
  state: State;
}

interface Widget {
  readonly id: string;
  /** The cell that made it. */
  readonly cell: string;
  readonly definition: Definition;
  /** Those of its parts, in their order. */
  readonly models: Model[];
  /** All that are closed with it. */
  readonly all: Model[];
  value: unknown;
  /** The child has not answered yet to what it was sent last. */
  sent: boolean;
  waiting?: Change;
  patience?: NodeJS.Timeout;
}

/** A child that has not looked at a value after this long has its hands full. */
const PATIENCE_MS = 300;

export class Widgets {
  readonly #comms: Comms;
  readonly #tell: (command: WidgetCommand) => void;
  readonly #ignored: (cell: string) => void;
  readonly #widgets = new Map<string, Widget>();

  /**
   * @param tell Sends to the child, where there is one.
   * @param ignored Hears of a cell whose input was moved while the child had no time to look.
   */
  constructor(
    comms: Comms,
    tell: (command: WidgetCommand) => void,
    ignored: (cell: string) => void = () => {},
  ) {
    this.#comms = comms;
    this.#tell = tell;
    this.#ignored = ignored;
    comms.register(CONTROL, (comm) => ({
      message: ({ method }) => {
        if (method === "request_states") comm.send(this.#states());
      },
    }));
  }

  /** What the child says; a cell can speak in its place, so nothing is taken for granted. */
  receive(event: WidgetEvent): void {
    switch (event.event) {
      case "widget-open":
        if (typeof event.id === "string" && isDefinition(event.definition))
          this.#open(event.id, String(event.cell), event.definition);
        break;
      case "widget-close":
        for (const id of Array.isArray(event.ids) ? event.ids : []) this.#close(id);
        break;
      case "widget-value":
        this.#set(event.id, event.value);
        break;
      case "widget-took":
        this.#took(event.id, event.value);
    }
  }

  /** The child is gone, and with it whatever the widgets stood for. */
  closeAll(): void {
    for (const id of [...this.#widgets.keys()]) this.#close(id);
  }

  #open(id: string, cell: string, definition: Definition): void {
    if (this.#widgets.has(id) || this.#widgets.size >= MOST_INPUTS) return;
    const { parts, key, value } = definition;
    const widget: Widget = { id, cell, definition, models: [], all: [], value, sent: false };
    this.#widgets.set(id, widget);
    const alone = parts.length === 1;
    // What a state refers to has to be there before it.
    for (const part of parts) {
      const state = {
        ...part.model,
        ...(Object.hasOwn(part.model, key) ? { [key]: value } : {}),
        layout: this.#refer(widget, { ...base("Layout", BASE), ...part.layout }),
        style: this.#refer(widget, part.style),
      };
      widget.models.push(this.#model(widget, state, part, alone ? id : undefined));
    }
    if (alone) return;
    const children = widget.models.map((model) => reference(model.id));
    const layout = this.#refer(widget, base("Layout", BASE));
    this.#model(widget, { ...base("HBox", CONTROLS), ...box, children, layout }, undefined, id);
  }

  #refer(widget: Widget, state: State): string {
    return reference(this.#model(widget, state).id);
  }

  #model(widget: Widget, state: State, part?: Part, id = randomUUID() as string): Model {
    const comm = this.#comms.open(
      TARGET,
      {
        message: (data, buffers) => this.#heard(widget, model, part, data, buffers),
        closed: () => {
          this.#close(widget.id);
          this.#tell({ op: "widget", id: widget.id });
        },
      },
      { id, data: { state, buffer_paths: [] }, metadata: PROTOCOL },
    );
    const model: Model = { id, comm, state };
    widget.all.push(model);
    return model;
  }

  #close(id: string): void {
    const widget = this.#widgets.get(id);
    if (!widget) return;
    this.#widgets.delete(id);
    clearTimeout(widget.patience);
    for (const { comm } of widget.all.reverse()) comm.close();
  }

  /** A front end speaks to one of a widget's models. */
  #heard(
    widget: Widget,
    model: Model,
    part: Part | undefined,
    data: State,
    buffers: readonly Buffer[],
  ): void {
    const { method, content } = data;
    const clicks = widget.definition.rule.type === "clicks";
    if (method === "update" && part) this.#update(widget, model, part, data, buffers);
    else if (method !== "custom") sendState(model, part);
    else if (clicks && isRecord(content) && content.event === "click") {
      widget.value = (widget.value as number) + 1;
      this.#deliver(widget, { value: widget.value });
    }
  }

  #update(widget: Widget, model: Model, part: Part, data: State, buffers: readonly Buffer[]): void {
    const { definition } = widget;
    const echo: Record<string, unknown> = {};
    let refused = !isRecord(data.state);
    let change: Change | undefined;
    for (const [key, given] of Object.entries(isRecord(data.state) ? data.state : {})) {
      const rule = ruleOf(definition, part, key);
      if (rule?.type === "page") continue;
      const files = rule?.type === "files" ? readFiles(given, rule, data.buffer_paths, buffers) : undefined;
      const value = files ? files.value : given;
      const fits = rule !== undefined && keeps(rule, value) && (rule.type !== "files" || files !== undefined);
      if (!fits) refused = true;
      else if (key === definition.key) change = { value, files: files?.files };
      else model.state = { ...model.state, [key]: value };
      if (!rule || rule.type === "files") continue;
      // A page takes no one else's value before it has its own back: also a refused one is answered, with what holds.
      echo[key] = fits ? value : model.state[key];
    }
    if (Object.keys(echo).length) model.comm.send({ method: "echo_update", state: echo, buffer_paths: [] });
    if (change) {
      this.#mirror(widget, change.value, model);
      this.#deliver(widget, change);
    }
    if (refused) sendState(model, part);
  }

  /** Keeps a new value, and shows it in every model but the one it came from. */
  #mirror(widget: Widget, value: unknown, from?: Model): void {
    const { key } = widget.definition;
    widget.value = value;
    for (const model of widget.models) {
      if (!Object.hasOwn(model.state, key)) continue;
      model.state = { ...model.state, [key]: value };
      if (model !== from) model.comm.send({ method: "update", state: { [key]: value }, buffer_paths: [] });
    }
  }

  /** To the child at once, or in place of what still waits for it. */
  #deliver(widget: Widget, change: Change): void {
    if (widget.sent) {
      widget.waiting = change;
      return;
    }
    widget.sent = true;
    widget.patience = setTimeout(() => this.#ignored(widget.cell), PATIENCE_MS);
    this.#tell({ op: "widget", id: widget.id, ...change });
  }

  #set(id: string, value: unknown): void {
    const widget = this.#widgets.get(id);
    if (widget && keeps(widget.definition.rule, value)) this.#mirror(widget, value);
  }

  #took(id: string, value: unknown): void {
    const widget = this.#widgets.get(id);
    if (!widget) return;
    const { waiting } = widget;
    clearTimeout(widget.patience);
    widget.sent = false;
    widget.waiting = undefined;
    if (waiting) this.#deliver(widget, waiting);
    // Code and page have set it at the same time: the child's order of the two is the true one.
    else if (value !== undefined && JSON.stringify(value) !== JSON.stringify(widget.value))
      this.#set(id, value);
  }

  /** Every model, for a page that has just been opened. */
  #states(): State {
    const models = [...this.#widgets.values()].flatMap((widget) => widget.all);
    const states = models.map(({ id, state }) => [
      id,
      {
        model_name: state._model_name,
        model_module: state._model_module,
        model_module_version: state._model_module_version,
        state,
      },
    ]);
    return { method: "update_states", states: Object.fromEntries(states), buffer_paths: [] };
  }
}

function ruleOf({ key: valueKey, rule }: Definition, part: Part, key: string): Rule | undefined {
  if (key === valueKey && Object.hasOwn(part.model, key)) return rule;
  return Object.hasOwn(part.rules, key) ? part.rules[key] : undefined;
}

/** The whole state, but for what belongs to the page. */
function sendState({ comm, state }: Model, part: Part | undefined): void {
  const kept = Object.entries(state).filter(
    ([key]) => !(part && Object.hasOwn(part.rules, key) && part.rules[key]!.type === "page"),
  );
  comm.send({ method: "update", state: Object.fromEntries(kept), buffer_paths: [] });
}

/** Files with their bytes, which come as buffers at `["value", i, "content"]`; undefined unless every one has its own. */
function readFiles(
  given: unknown,
  rule: Extract<Rule, { type: "files" }>,
  paths: unknown,
  buffers: readonly Buffer[],
): { value: FileRecord[]; files: string[] } | undefined {
  if (!keeps(rule, given) || !Array.isArray(paths)) return undefined;
  const records = given as FileRecord[];
  const contents: (Buffer | undefined)[] = records.map(() => undefined);
  for (const [i, path] of paths.slice(0, buffers.length).entries()) {
    const [name, index, content] = Array.isArray(path) && path.length === 3 ? path : [];
    const known = Number.isInteger(index) && index >= 0 && index < contents.length;
    if (name === "value" && content === "content" && known) contents[index] = buffers[i];
  }
  const whole = contents.every((content, i) => content?.length === records[i]!.size);
  if (!whole) return undefined;
  return {
    value: records.map(({ name, type, size, last_modified }) => ({
      name,
      type,
      size,
      last_modified: Number.isFinite(last_modified) ? last_modified : 0,
    })),
    files: contents.map((content) => content!.toString("base64")),
  };
}

const box = {
  _dom_classes: [],
  _view_name: "HBoxView",
  _view_module: CONTROLS,
  _view_module_version: VERSION,
  box_style: "",
  tabbable: null,
  tooltip: null,
};

/** The names of a model that has no view of its own. */
function base(name: string, module: string): Record<string, unknown> {
  return {
    _model_name: `${name}Model`,
    _model_module: module,
    _model_module_version: VERSION,
    _view_count: null,
    _view_name: `${name}View`,
    _view_module: module,
    _view_module_version: VERSION,
  };
}

function reference(id: string): string {
  return `IPY_MODEL_${id}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
