// Runs cells: compile, tie names to the cells above, run, show the value, report the error. One at a time, in order.
// Relies on compile/ for the code and on the run for interrupts. Never lets one cell's failure touch another's names.

import { setTimeout as pause } from "node:timers/promises";
import { isNativeError } from "node:util/types";
import vm from "node:vm";
import { compileCell } from "../compile/cell.ts";
import { asksReset } from "../compile/magics.ts";
import { CellSyntaxError } from "../compile/parse.ts";
import { placeAt } from "../compile/positions.ts";
import { bundleOf, canDisplay } from "./display.ts";
import { failureOf, placeOfValue, refusedAt, rememberCell, syntaxFailure } from "./errors.ts";
import { beginRun, dropStale, endRun, isPending } from "./flag.ts";
import { helpers } from "./helpers.ts";
import { drainCell, names } from "./host.ts";
import { inputs } from "./inputs.ts";
import { first } from "./intrinsics.ts";
import { type Command, emit, type Failure } from "./link.ts";
import { installMagics } from "./magics.ts";
import type { Modules } from "./modules.ts";
import { type Binding, isUnnamed, Namespace } from "./namespace.ts";
import { currentRun, flag, Interrupt, Run, within } from "./run.ts";
import { flush, write } from "./streams.ts";

/** How long an interrupted cell waits for libraries to put down what they were doing. */
const INTERRUPTED_DRAIN_MS = 2000;

type RunCommand = Extract<Command, { op: "run" }>;
type CellFunction = (this: undefined, cell: object) => Promise<[unknown] | undefined>;

export class Cells {
  readonly namespace = new Namespace();
  readonly #modules: Modules;
  readonly #runs = new Map<string, Run>();
  /** Runs whose code has asked to be told of their end. */
  readonly #heeding = new Set<Run>();
  readonly #prepared = new Map<string, Prepared>();
  #current: Run | undefined;

  constructor(modules: Modules) {
    this.#modules = modules;
    inputs.bindings = (cell) => this.namespace.of(cell);
    names.all = () => this.namespace.values();
    installMagics(this.namespace, modules);
  }

  interrupt(id: number): void {
    if (this.#current?.id === id) this.#current.interrupt();
    else if (!this.#current) dropStale(flag);
  }

  /** Runs one cell to its end and says how it went. */
  async run(command: RunCommand): Promise<void> {
    const failure = await this.#attempt(command);
    endRun(flag, command.run);
    inputs.endRun(command.cell, command.run, !failure);
    this.#current = undefined;
    flush();
    emit(failure ? { event: "done", run: command.run, failure } : { event: "done", run: command.run });
  }

  async #attempt(command: RunCommand): Promise<Failure | undefined> {
    this.remove(command.deleted ?? []);
    if (!command.silent && asksReset(command.code)) this.#reset();
    if (command.order) this.namespace.arrange(command.order);
    this.namespace.place(command.cell);
    const visible = command.meanings
      ? this.namespace.pick(command.meanings)
      : this.namespace.visible(command.cell);
    const prepared = this.#prepare(command, visible);
    if ("failure" in prepared) return prepared.failure;

    this.#invalidate(command.cell);
    this.namespace.clear(command.cell);
    const run = new Run(command.run, command.cell, command.label);
    if (!isUnnamed(command.cell)) this.#runs.set(command.cell, run);
    this.#current = run;
    const stopped = beginRun(flag, run.id);
    try {
      if (stopped) run.interrupt();
      run.tick();
      await within(run, () => first([this.#execute(prepared, command, run, visible), run.interrupted]));
      return undefined;
    } catch (error) {
      // While an interrupt is pending, whatever failed (a killed child process, an aborted fetch) failed because of it.
      if (isPending(flag) || run.cancelled) {
        // The flag stays up while native work that polls it comes to its end; it must not miss the interrupt.
        await within(run, () =>
          first([drainCell().catch(() => {}), pause(INTERRUPTED_DRAIN_MS, undefined, { ref: false })]),
        );
        return failureOf(new Interrupt());
      }
      await this.#drainAfterFailure(run);
      return failureOf(this.#explain(error, command.cell));
    } finally {
      const times = run.times();
      if (times) write("stdout", times, run.id);
      if (command.silent) this.#remove(command.cell);
    }
  }

  async #execute(
    { cellFunction, compiled, filename, source }: Prepared,
    command: RunCommand,
    run: Run,
    visible: Map<string, Binding>,
  ): Promise<void> {
    await this.#modules.bring(source);
    const deno = compiled.references.includes("Deno") ? (await import("./deno.ts")).deno : undefined;
    const surroundings = this.#surroundings(compiled.inputs, run, visible, deno);
    const returned = await cellFunction.call(undefined, surroundings);
    // An interrupted cell may come this far later on; it has been answered.
    if (run.cancelled) return;
    try {
      if (returned && (!command.silent || command.value))
        await show(returned[0], compiled.shows === "declaration");
      else if (returned) await returned[0];
    } catch (error) {
      placeOfValue(error, filename, compiled.valuePlace());
      throw error;
    }
    await drainCell();
  }

  /** Compiles, or takes what the same text compiled to last time: a slider re-runs its cells a hundred times. */
  #prepare(command: RunCommand, visible: Map<string, Binding>): Prepared | { failure: Failure } {
    const before = this.#prepared.get(command.cell);
    if (before?.source === command.code) {
      const { references, inputs } = before.compiled;
      const seen = references.filter((name) => visible.has(name));
      if (seen.length === inputs.length && seen.every((name) => inputs.includes(name))) {
        rememberCell(before.filename, {
          label: command.label,
          source: before.source,
          place: before.compiled.place,
        });
        return before;
      }
    }
    const prepared = prepare(command, visible);
    if (!("failure" in prepared || isUnnamed(command.cell))) this.#prepared.set(command.cell, prepared);
    return prepared;
  }

  /** What compiled code calls `$cell`. */
  #surroundings(
    inputs: readonly string[],
    run: Run,
    visible: Map<string, Binding>,
    deno: object | undefined,
  ): object {
    const names: Record<string, unknown> = {};
    for (const name of inputs) {
      const binding = visible.get(name)!;
      Object.defineProperty(names, name, { get: binding.get, enumerable: true });
    }
    const modules = this.#modules;
    const heeding = this.#heeding;
    return {
      in: names,
      stop: run.stop,
      reason: run.reason,
      tick: run.tick,
      caught: rethrowInterrupt,
      define: (accessors: Parameters<Namespace["define"]>[1]) => this.namespace.define(run.cell, accessors),
      module: modules.module.bind(modules),
      import: modules.import.bind(modules),
      meta: modules.meta,
      helpers,
      deno,
      get invalidation() {
        heeding.add(run);
        return run.invalidation;
      },
    };
  }

  /** A failed cell is waited for like any other; what else failed on the way is told, the first error stays the cell's. */
  async #drainAfterFailure(run: Run): Promise<void> {
    try {
      await within(run, () => first([drainCell(), run.interrupted]));
    } catch (error) {
      if (!Interrupt.is(error)) write("stderr", `${failureOf(error).traceback.join("\n")}\n`, run.id);
    }
  }

  remove(cells: readonly string[]): void {
    for (const cell of cells) this.#remove(cell);
  }

  #reset(): void {
    for (const cell of this.namespace.cells()) this.#remove(cell);
    emit({ event: "reset" });
  }

  /** The session ends: every run hears of it. Whether one of them may want time to clean up. */
  close(): boolean {
    for (const run of [...this.#runs.values(), ...this.#heeding]) run.invalidate();
    return this.#heeding.size > 0;
  }

  /** What the cell's last run left behind ends. */
  #invalidate(cell: string): void {
    const run = this.#runs.get(cell);
    if (!run) return;
    run.invalidate();
    this.#runs.delete(cell);
    this.#heeding.delete(run);
  }

  #remove(cell: string): void {
    this.#invalidate(cell);
    this.#prepared.delete(cell);
    inputs.remove(cell);
    this.namespace.remove(cell);
  }

  /** A name that only a cell further down defines gets a hint, since the message alone would puzzle. */
  #explain(error: unknown, cell: string): unknown {
    const name =
      isNativeError(error) &&
      error instanceof ReferenceError &&
      /^(\S+) is not defined$/.exec(error.message)?.[1];
    if (name && this.namespace.all().has(name) && !this.namespace.visible(cell).has(name))
      error.message += ` above this cell: a cell further down defines it. Move that cell up, or this one down.`;
    return error;
  }
}

interface Prepared {
  readonly source: string;
  readonly filename: string;
  readonly cellFunction: CellFunction;
  readonly compiled: ReturnType<typeof compileCell>;
}

function prepare(command: RunCommand, visible: Map<string, Binding>): Prepared | { failure: Failure } {
  const { code: source, label } = command;
  const filename = `cell:${command.run}`;
  let compiled: ReturnType<typeof compileCell>;
  try {
    compiled = compileCell(source, new Set(visible.keys()));
  } catch (error) {
    // What the compiler itself stumbles over, such as an expression that nests too deep, is this cell's failure alone.
    if (!(error instanceof CellSyntaxError)) return { failure: failureOf(error) };
    return { failure: syntaxFailure(error.message, { label, source }, placeAt(source, error.offset)) };
  }
  try {
    const script = new vm.Script(`(${compiled.code})`, {
      filename,
      columnOffset: -1,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    rememberCell(filename, { label, source, place: compiled.place });
    return { source, filename, cellFunction: script.runInThisContext() as CellFunction, compiled };
  } catch (error) {
    const at = refusedAt(error, filename);
    const place = (at && compiled.place(at)) ?? { line: 1, column: 1 };
    return { failure: syntaxFailure((error as Error).message, { label, source }, place) };
  }
}

function rethrowInterrupt(error: unknown): void {
  if (Interrupt.is(error)) throw error;
}

/** Shows a cell's value by the display rules; a value still at work is shown first, then waited for. */
async function show(value: unknown, onlyIfItDraws: boolean): Promise<void> {
  if (onlyIfItDraws) {
    if (!canDisplay(value)) return;
    return emitResult(await bundleOf(value));
  }
  if (canDisplay(value)) {
    emitResult(await bundleOf(value));
    await value;
    return;
  }
  const settled = await value;
  if (settled !== undefined) emitResult(await bundleOf(settled));
}

function emitResult(data: Record<string, unknown> | undefined): void {
  if (!data) return;
  flush();
  emit({ event: "result", run: currentRun()!.id, data });
}
