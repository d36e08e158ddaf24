// A page as the widgets' front end is one, as far as their protocol goes: it keeps the models it is told of, moves them,
// and asks for their state. Relies on comms alone.

import type { CommMessage } from "../../../kernel/protocol/session.ts";
import { Comms } from "../../../kernel/session/comms.ts";

export type State = Record<string, unknown>;

export class Page {
  readonly comms = new Comms();
  readonly models = new Map<string, State>();
  /** Everything that was sent to the page. */
  readonly heard: CommMessage[] = [];

  constructor() {
    this.comms.send = (message) => this.#hear(message);
  }

  /** The models of a name, such as `IntSlider`, in the order of their opening. */
  all(name: string): [string, State][] {
    return [...this.models].filter(([, state]) => state._model_name === `${name}Model`);
  }

  /** The id of the only model of a name. */
  one(name: string): string {
    const found = this.all(name);
    if (found.length !== 1) throw new Error(`There are ${found.length} models of ${name}.`);
    return found[0]![0];
  }

  say(id: string, data: State, buffers: Buffer[] = []): CommMessage[] {
    const before = this.heard.length;
    this.comms.receive({ type: "msg", id, data, metadata: {}, buffers });
    return this.heard.slice(before);
  }

  /** Moves an input as a person does. Returns what the page hears at once. */
  move(id: string, state: State, paths: unknown[] = [], buffers: Buffer[] = []): CommMessage[] {
    return this.say(id, { method: "update", state, buffer_paths: paths }, buffers);
  }

  click(id: string): void {
    this.say(id, { method: "custom", content: { event: "click" } });
  }

  #hear(message: CommMessage): void {
    this.heard.push(message);
    const { type, id, data } = message;
    if (type === "open") this.models.set(id, data.state as State);
    else if (type === "close") this.models.delete(id);
    else if (data.method === "update" || data.method === "echo_update")
      this.models.set(id, { ...this.models.get(id), ...(data.state as State) });
  }
}
