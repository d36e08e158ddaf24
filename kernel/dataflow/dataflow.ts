// The dataflow of one notebook: its cells as they are written, what has run, and what follows from both.
// Relies on being told of every edit, run and moved input. Pure state: runs nothing, sends nothing, has no clock.

import { type CellFacts, factsOf, heldBy } from "./facts.ts";
import { buildGraph, type CellText, type Graph, type Node, resourceKey } from "./graph.ts";
import { History } from "./history.ts";
import type { View } from "./plan.ts";
import { isBlank, type Outcome, type RunRecord, type Status, statusOf } from "./status.ts";

/** What a run needs to know of its cell's free names: the cells that define them. */
export type Meanings = Readonly<Record<string, string>>;

interface Running {
  readonly cell: string;
  readonly run: number;
  readonly changes: readonly string[];
}

export class Dataflow {
  #cells: CellText[] = [];
  #texts = new Map<string, CellText>();
  #records = new Map<string, RunRecord>();
  readonly #history = new History();
  readonly #seconds = new Map<string, number>();
  #graph: Graph | undefined;
  /** Of the history that the graph was built for. */
  #historyVersion = 0;
  #status: Status | undefined;
  #running: Running | undefined;
  #changes = 0;

  get graph(): Graph {
    const { version } = this.#history;
    if (!this.#graph || this.#historyVersion !== version)
      this.#graph = buildGraph(this.#cells, this.#history.changedNames());
    this.#historyVersion = version;
    return this.#graph;
  }

  get status(): Status {
    this.#status ??= statusOf(this.graph, this.#records, this.#history);
    return this.#status;
  }

  /** Changes with everything that can change what is stale. */
  get version(): number {
    return this.#changes;
  }

  view(pending: ReadonlySet<string> = new Set()): View {
    const [records, history, seconds] = [this.#records, this.#history, this.#seconds];
    return { graph: this.graph, status: this.status, records, history, seconds, pending };
  }

  record(cell: string): RunRecord | undefined {
    return this.#records.get(cell);
  }

  seconds(cell: string): number | undefined {
    return this.#seconds.get(cell);
  }

  /**
   * The cells in document order, and the texts that changed; a cell whose text never came is empty.
   * @returns the cells whose values are gone with them: deleted ones, and those that were emptied.
   */
  setDocument(order: readonly string[], sources: Readonly<Record<string, string>>): string[] {
    const texts = new Map<string, CellText>();
    for (const id of order) {
      const known = this.#texts.get(id);
      const source = Object.hasOwn(sources, id) ? sources[id]! : (known?.source ?? "");
      texts.set(id, known?.source === source ? known : { id, source, facts: factsOf(source) });
    }
    const isGone = (id: string) =>
      !texts.has(id) || (isBlank(texts.get(id)!.source) && this.#records.has(id));
    const gone = [...this.#texts.keys()].filter(isGone);
    for (const id of gone) this.#forget(id);
    this.#texts = texts;
    this.#cells = [...texts.values()];
    this.#edited();
    return gone;
  }

  has(cell: string): boolean {
    return this.#texts.has(cell);
  }

  /** A run of a cell begins, with a text that may be newer than the document's. Returns what its free names mean. */
  begin(cell: string, source: string, run: number, count: number): Meanings {
    if (this.#texts.get(cell)?.source !== source) this.#edit(cell, source, factsOf(source));
    const node = this.graph.byId.get(cell)!;
    const names = new Map<string, string>();
    const states = new Map<string, number>();
    for (const [name, resource] of node.names) {
      names.set(name, resource.key);
      states.set(resource.key, this.#history.origin(resource.key));
    }
    for (const { key } of node.sees) states.set(key, this.#history.state(key));
    this.#history.begin(cell, node.defines.keys(), run);
    this.#records.set(cell, { run, source, count, names, states, outcome: "running" });
    this.#running = { cell, run, changes: [...node.changes].map(({ key }) => key) };
    this.#outdate();
    return Object.fromEntries([...node.names].map(([name, { owner }]) => [name, owner.id]));
  }

  end(outcome: Outcome, seconds: number): void {
    const running = this.#running;
    this.#running = undefined;
    if (!running) return;
    for (const key of running.changes) this.#history.change(key, running.run);
    const record = this.#records.get(running.cell);
    if (record?.run === running.run) this.#records.set(running.cell, { ...record, outcome });
    if (outcome === "ok" && this.#texts.has(running.cell)) this.#seconds.set(running.cell, seconds);
    this.#outdate();
  }

  /** Names whose values are inputs, by their cells. */
  keep(values: Iterable<{ readonly cell: string; readonly name: string }>): void {
    for (const { cell, name } of values) if (this.#history.keep(resourceKey(cell, name))) this.#outdate();
  }

  /** An input in a cell has another value; without names, any of the cell's may hold it. Returns its cell. */
  move(cell: string, names: readonly string[]): Node | undefined {
    const node = this.graph.byId.get(cell);
    for (const name of this.#history.names(cell)) {
      // What a function of the cell computes from the input moves with it.
      const isInput = names.length === 0 || names.includes(name);
      if (isInput || (node && holdsAny(name, node.facts, names))) {
        const key = resourceKey(cell, name);
        this.#history.move(key, isInput);
        this.#moveOwn(key);
      }
    }
    this.#outdate();
    return node;
  }

  /** All values are gone. Returns the cells that had run, in order: running them brings the values back. */
  lost(): string[] {
    const ran = this.#cells.filter(({ id }) => this.#records.has(id)).map(({ id }) => id);
    for (const id of ran) this.#history.forget(id);
    this.#records = new Map();
    this.#running = undefined;
    this.#outdate();
    return ran;
  }

  /** What the running cell itself has set, it need not follow. */
  #moveOwn(key: string): void {
    const record = this.#running?.changes.includes(key) && this.#records.get(this.#running.cell);
    if (!record) return;
    const states = new Map(record.states);
    if (states.has(key)) states.set(key, this.#history.state(key));
    this.#records.set(this.#running!.cell, { ...record, states });
  }

  #edit(cell: string, source: string, facts: CellFacts): void {
    const text = { id: cell, source, facts };
    if (!this.#texts.has(cell)) this.#cells.push(text);
    else this.#cells = this.#cells.map((other) => (other.id === cell ? text : other));
    this.#texts.set(cell, text);
    this.#edited();
  }

  #forget(cell: string): void {
    this.#records.delete(cell);
    this.#seconds.delete(cell);
    this.#history.forget(cell);
  }

  #edited(): void {
    this.#graph = undefined;
    this.#outdate();
  }

  #outdate(): void {
    this.#status = undefined;
    this.#changes++;
  }
}

function holdsAny(name: string, facts: CellFacts, names: readonly string[]): boolean {
  const held = heldBy(name, facts);
  return names.some((other) => held.has(other));
}
