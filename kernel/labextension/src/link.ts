// One notebook and its kernel: tells the cells as they are, asks for plans, and holds what the kernel says of them.
// Relies on a channel that may be closed at any time. Executes nothing itself: the one who made it is told what to run.

import type { ISessionContext } from "@jupyterlab/apputils";
import type { INotebookModel } from "@jupyterlab/notebook";
import { Signal } from "@lumino/signaling";
import { Channel, type Owner } from "./channel.ts";
import { Imports } from "./imports.ts";
import { incoming } from "./incoming.ts";
import type { Edge, GraphCell, Mark, Planned, ToFrontend, TypesMode, Variable } from "./messages.ts";
import { modeOf } from "./mode.ts";
import { type CodeText, Told } from "./told.ts";

/** While somebody types, the kernel is told of pauses only. */
const PAUSE_MS = 100;
/** The kernel answers at once, also while a cell computes; after this the cells are run as if it had no plan. */
const PATIENCE_MS = 3000;

export type Change = "owner" | "mode" | "marks" | "plan" | "graph" | "variables";

export interface Handlers {
  /** Runs one cell as an ordinary execution. False where it cannot be. */
  execute(cell: string): boolean;
  lost(message: string, cells: readonly string[]): void;
  /** What mistakes of types should do; undefined where the kernel decides. */
  types(): TypesMode | undefined;
}

export class Link {
  readonly changed = new Signal<this, Change>(this);
  readonly model: INotebookModel;
  marks: ReadonlyMap<string, Mark> = new Map();
  plan: Planned | null = null;
  graph: { readonly cells: readonly GraphCell[]; readonly edges: readonly Edge[] } = { cells: [], edges: [] };
  variables: readonly Variable[] = [];
  readonly #channel: Channel;
  readonly #handlers: Handlers;
  readonly #told = new Told();
  readonly #imports: Imports;
  readonly #asked = new Map<number, (plan: readonly string[] | undefined) => void>();
  #requests = 0;
  #timer: number | undefined;
  #mode: string;
  #watch = { graph: false, variables: false };

  constructor(model: INotebookModel, session: ISessionContext, handlers: Handlers) {
    this.model = model;
    this.#handlers = handlers;
    this.#mode = modeOf(model);
    this.#imports = new Imports(model);
    this.#channel = new Channel(session, {
      opening: () => {
        this.#told.forget();
        const [mode, types] = [modeOf(model), handlers.types()];
        return { mode, types, order: [], sources: {}, ...this.#told.update(this.#cells()) };
      },
      received: (data) => {
        const message = incoming(data);
        if (message) this.#receive(message);
      },
    });
    this.#channel.changed.connect(this.#channelChanged, this);
    model.contentChanged.connect(this.#later, this);
    model.metadataChanged.connect(this.#metadataChanged, this);
  }

  get owner(): Owner {
    return this.#channel.owner;
  }

  /** The kernel answers: marks and plans are true. */
  get isOpen(): boolean {
    return this.#channel.isOpen;
  }

  /** Tells the kernel what has changed since it was last told. */
  tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#channel.isOpen) return;
    const document = this.#told.update(this.#cells());
    if (document) this.#channel.send({ type: "document", ...document });
  }

  /** Tells the kernel that the person's setting has changed. A kernel that comes later hears of it in the opening. */
  tellTypes(): void {
    this.#channel.send({ type: "types", types: this.#handlers.types() });
  }

  /** What to execute for these cells, or for those that are stale; nothing where the kernel has no plans. */
  async ask(cells: readonly string[], stale: boolean): Promise<readonly string[] | undefined> {
    if ((await this.#channel.known()) !== "ours" || !this.#channel.open()) return undefined;
    this.tell();
    const request = ++this.#requests;
    const plan = new Promise<readonly string[] | undefined>((resolve) => this.#asked.set(request, resolve));
    this.#channel.send({ type: "run", request, cells, ...(stale && { stale }) });
    const timer = setTimeout(() => this.#answer(request, undefined), PATIENCE_MS);
    return plan.finally(() => clearTimeout(timer));
  }

  /** A cell of a plan that is not going to be executed. */
  decline(cell: string): void {
    this.#channel.send({ type: "declined", cell });
  }

  /** Which panels show this notebook: the kernel sends nothing for those that do not. */
  watch(watch: { graph: boolean; variables: boolean }): void {
    if (watch.graph === this.#watch.graph && watch.variables === this.#watch.variables) return;
    this.#watch = watch;
    this.#channel.send({ type: "watch", ...watch });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const request of [...this.#asked.keys()]) this.#answer(request, undefined);
    this.#channel.dispose();
    Signal.clearData(this);
  }

  #cells(): CodeText[] {
    const cells: CodeText[] = [];
    for (const { type, id, sharedModel } of this.model.cells)
      if (type === "code") cells.push({ id, source: sharedModel.getSource() });
    return cells;
  }

  #later(): void {
    this.#timer ??= window.setTimeout(() => this.tell(), PAUSE_MS);
  }

  #metadataChanged(): void {
    const mode = modeOf(this.model);
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.#channel.send({ type: "mode", mode });
    this.changed.emit("mode");
  }

  #channelChanged(): void {
    if (this.#channel.isOpen) {
      if (this.#watch.graph || this.#watch.variables) this.#channel.send({ type: "watch", ...this.#watch });
    } else {
      for (const request of [...this.#asked.keys()]) this.#answer(request, undefined);
      this.marks = new Map();
      this.plan = null;
      this.graph = { cells: [], edges: [] };
      this.variables = [];
      for (const change of ["marks", "plan", "graph", "variables"] as const) this.changed.emit(change);
    }
    this.changed.emit("owner");
  }

  #answer(request: number, plan: readonly string[] | undefined): void {
    this.#asked.get(request)?.(plan);
    this.#asked.delete(request);
  }

  #receive(message: ToFrontend): void {
    switch (message.type) {
      case "plan":
        this.#answer(message.request, message.cells);
        break;
      case "execute":
        this.#execute(message.cell);
        break;
      case "imports":
        this.#imports.offered(message.imports);
        break;
      case "lost":
        this.#handlers.lost(message.message, message.cells);
        break;
      case "marks": {
        const before = this.plan;
        this.marks = new Map([...this.marks, ...Object.entries(message.marks)]);
        if (message.plan !== undefined) this.plan = message.plan;
        this.changed.emit("marks");
        if (this.plan !== before) this.changed.emit("plan");
        break;
      }
      case "graph":
        this.graph = { cells: message.cells, edges: message.edges };
        this.changed.emit("graph");
        break;
      case "variables":
        this.variables = message.variables;
        this.changed.emit("variables");
        break;
    }
  }

  #execute(cell: string): void {
    const known = this.#told.source(cell);
    this.tell();
    // A text that somebody is still typing is not run because a value above it has changed.
    const isAsKnown = known !== undefined && known === this.#told.source(cell);
    if (!isAsKnown || !this.#handlers.execute(cell)) this.decline(cell);
  }
}
