// A notebook in one process: the dataflow and its scheduler decide, cells are compiled and run as the session does. What each
// cell shows is kept, to be compared with a run from the top.

import vm from "node:vm";
import { compileCell } from "../../../kernel/compile/cell.ts";
import { CellSyntaxError } from "../../../kernel/compile/parse.ts";
import { Dataflow } from "../../../kernel/dataflow/dataflow.ts";
import { Scheduler } from "../../../kernel/dataflow/scheduler.ts";
import type { Outcome } from "../../../kernel/dataflow/status.ts";
import type { Mode } from "../../../kernel/labextension/src/messages.ts";
import { type Binding, Namespace } from "../../../kernel/session/namespace.ts";

class Stopped extends Error {}

/** What a cell shows of an input moves with it. */
class Input {
  changed: () => void = () => {};
  #value: number;

  constructor(value: number) {
    this.#value = value;
  }

  get value(): number {
    return this.#value;
  }

  /** Moved by code. */
  set value(value: number) {
    this.#value = value;
    this.changed();
  }

  /** Moved by a person. */
  put(value: number): void {
    this.#value = value;
  }

  toJSON(): string {
    return "input";
  }
}

/** Inputs outlive a run of their cell: by the cell and the input's first value. */
type Kept = Map<string, Input>;

export class Simulated {
  readonly flow = new Dataflow();
  readonly scheduler = new Scheduler(this.flow);
  readonly shown = new Map<string, string>();
  /** Every execution, in order. */
  readonly log: string[] = [];
  order: string[] = [];
  readonly sources = new Map<string, string>();
  readonly kept: Kept;
  /** Seconds that a cell's run counts as taking. */
  seconds = (_source: string): number => 0.01;
  #namespace = new Namespace();
  #runs = 0;
  #ids = 0;

  constructor(sources: readonly string[] = [], mode: Mode = "auto", kept: Kept = new Map()) {
    this.scheduler.mode = mode;
    this.kept = kept;
    for (const source of sources) this.insert(this.order.length, source);
  }

  insert(at: number, source: string): string {
    const id = `c${this.#ids++}`;
    this.order.splice(at, 0, id);
    this.edit(id, source);
    return id;
  }

  edit(id: string, source: string): void {
    this.sources.set(id, source);
    this.#tell({ [id]: source });
  }

  remove(id: string): void {
    this.order = this.order.filter((other) => other !== id);
    this.sources.delete(id);
    this.shown.delete(id);
    this.#tell({});
  }

  move(id: string, to: number): void {
    this.order = this.order.filter((other) => other !== id);
    this.order.splice(to, 0, id);
    this.#tell({});
  }

  /** Runs cells as a person does, and all that follows. */
  async run(...ids: string[]): Promise<void> {
    for (const id of this.scheduler.ask(ids)) await this.execute(id);
    await this.settle();
  }

  async interrupted(id: string): Promise<void> {
    const planned = this.scheduler.ask([id]);
    for (const cell of planned) await this.execute(cell, cell === id);
    await this.settle();
  }

  /** A person moves the inputs of a cell. */
  async slide(cell: string, value: number): Promise<void> {
    for (const [key, input] of this.kept) if (key.startsWith(`${cell}:`)) input.put(value);
    this.scheduler.moved(cell, this.#inputs(cell), true);
    await this.settle();
  }

  /** The names of a cell that hold inputs. */
  #inputs(cell: string): string[] {
    return [...this.#namespace.of(cell)].filter(([, binding]) => holdsInput(binding)).map(([name]) => name);
  }

  async settle(): Promise<void> {
    let runs = 0;
    for (let next = this.scheduler.next(); next; next = this.scheduler.next()) {
      if (runs++ > 200) throw new Error("It never comes to rest.");
      await this.execute(next);
    }
  }

  /** Cells whose output, the words say, is what a run from the top would show. */
  trusted(): string[] {
    const { reasons } = this.flow.status;
    return this.flow.graph.nodes
      .filter(({ index }) => reasons[index] === undefined || reasons[index]?.kind === "failed")
      .map(({ id }) => id);
  }

  state(id: string): string {
    const node = this.flow.graph.byId.get(id)!;
    return this.flow.status.reasons[node.index]?.kind ?? "fresh";
  }

  async execute(id: string, stop = false): Promise<void> {
    const source = this.sources.get(id)!;
    const run = ++this.#runs;
    const meanings = this.flow.begin(id, source, run, run);
    this.scheduler.started(id);
    this.log.push(id);
    let outcome: Outcome = "ok";
    try {
      this.shown.set(id, await this.#evaluate(id, source, meanings, stop));
    } catch (error) {
      outcome = error instanceof Stopped ? "interrupted" : "error";
      this.shown.set(id, `${(error as Error).name}: ${(error as Error).message}`);
    }
    this.flow.end(outcome, this.seconds(source));
    this.scheduler.executed(id, outcome);
  }

  async #evaluate(id: string, source: string, meanings: Record<string, string>, stop: boolean) {
    const visible = this.#namespace.pick(meanings);
    this.#namespace.clear(id);
    let compiled: ReturnType<typeof compileCell>;
    try {
      compiled = compileCell(source, new Set(visible.keys()));
    } catch (error) {
      if (error instanceof CellSyntaxError) throw new SyntaxError("broken");
      throw error;
    }
    const names = {};
    for (const name of compiled.inputs)
      Object.defineProperty(names, name, { get: visible.get(name)!.get, enumerable: true });
    const globals = globalThis as Record<string, unknown>;
    globals.pause = async () => {
      await null;
      if (stop) throw new Stopped("stopped");
    };
    globals.slider = (value: number) => {
      const key = `${id}:${value}`;
      const input = this.kept.get(key) ?? new Input(value);
      input.changed = () => this.scheduler.moved(id, this.#inputs(id), false);
      this.kept.set(key, input);
      return input;
    };
    const cell = vm.runInThisContext(`(${compiled.code})`) as (
      cell: object,
    ) => Promise<[unknown] | undefined>;
    const returned = await cell({
      in: names,
      stop: new Int32Array(1),
      tick: () => {},
      caught: (error: unknown) => {
        if (error instanceof Stopped) throw error;
      },
      define: (accessors: never) => this.#namespace.define(id, accessors),
    });
    return JSON.stringify(returned?.[0]) ?? "nothing";
  }

  #tell(changed: Record<string, string>): void {
    for (const id of this.flow.setDocument(this.order, changed)) this.#namespace.remove(id);
  }
}

function holdsInput(binding: Binding): boolean {
  try {
    const value = binding.get();
    if (value instanceof Input) return true;
    return Array.isArray(value) && value.some((part) => part instanceof Input);
  } catch {
    return false;
  }
}

/** What each cell shows when the notebook is run from the top by a session that never saw another. */
export async function fromTheTop(notebook: Simulated): Promise<Map<string, string>> {
  const kept = new Map([...notebook.kept].map(([key, { value }]) => [key, new Input(value)]));
  const fresh = new Simulated([], "off", kept);
  for (const id of notebook.order) {
    fresh.order.push(id);
    fresh.edit(id, notebook.sources.get(id)!);
  }
  for (const id of fresh.order) await fresh.execute(id);
  return fresh.shown;
}
