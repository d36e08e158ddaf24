// `profile(() => ...)`: runs a callback while the engine records what it does, then measures what the machine could have done.
// One at a time; work that other code enqueues meanwhile is recorded too, since there is one engine.

import { writeFile } from "node:fs/promises";
import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { cellName } from "../host.ts";
import { native } from "../native.ts";
import { checkChoice, checkNames, describe } from "../options.ts";
import { Figure } from "../plot/figure.ts";
import { flameFigure } from "../plot/flame.ts";
import { rooflineFigure } from "../plot/roofline.ts";
import { type Operation, operationsOf, type TaskSpan, tasksOf } from "./operations.ts";
import { traceEvents } from "./trace.ts";

/** What the machine can do at most on the engine's threads: operations a second (0: no such instruction), bytes a second. */
export interface Roof {
  readonly f32: number;
  readonly bf16: number;
  readonly i8: number;
  readonly read: number;
}

/** Time that JavaScript spent in a phase. What it enqueued may run later. */
export interface PhaseSpan {
  readonly path: readonly string[];
  readonly begin: number;
  readonly end: number;
}

export interface PlotOptions {
  /** Each operation under what the machine can do, or all of them along time. */
  view?: "roofline" | "flame";
}

/** What ran during a callback. */
export class Profile<T = unknown> {
  /** What the callback returned, or its promise gave. */
  readonly value: T;
  /** From the callback's start until all it enqueued had run. */
  readonly seconds: number;
  /** Longest first. */
  readonly operations: readonly Operation[];
  readonly roof: Roof;
  readonly #tasks: readonly TaskSpan[];
  readonly #phases: readonly PhaseSpan[];
  readonly #dropped: number;

  /** @internal */
  constructor(
    value: T,
    recorded: { seconds: number; tasks: TaskSpan[]; phases: PhaseSpan[]; dropped: number; roof: Roof },
  ) {
    this.value = value;
    this.seconds = recorded.seconds;
    this.roof = recorded.roof;
    this.operations = operationsOf(recorded.tasks);
    this.#tasks = recorded.tasks;
    this.#phases = recorded.phases;
    this.#dropped = recorded.dropped;
  }

  /** A roofline (each operation's speed under what the machine can do) beside where the time went, or a flame chart. */
  plot(options: PlotOptions = {}): Figure {
    checkNames("profile.plot", options, ["view"]);
    const { view = "roofline" } = options;
    checkChoice("profile.plot", "view", view, ["roofline", "flame"]);
    if (view === "flame") return this.flame();
    const { operations, roof, seconds } = this;
    const { threads, isa } = native().info();
    const note = this.#note();
    return new Figure(() => rooflineFigure({ operations, roof, seconds, threads, isa, note }));
  }

  /** What the engine did along time: the callback, phases, operations, and the kernels they are made of. */
  flame(): Figure {
    const { seconds } = this;
    const runs = [...new Set(this.#tasks.map((task) => task.run))];
    const root = runs.length === 1 ? cellName(runs[0]!) : "callback";
    const note = this.#note();
    return new Figure(() => flameFigure({ tasks: this.#tasks, seconds, root, note }));
  }

  /**
   * One row an operation (a kernel, of one made of several): name, calls, seconds, share, flops, bytes, flopsPerSecond,
   * bytesPerSecond, shapes.
   */
  table(): Table {
    const { operations } = this;
    const numbers = (pick: (one: Operation) => number) => Float64Array.from(operations, pick);
    return tableFromArrays({
      name: operations.map((one) => one.name),
      calls: Int32Array.from(operations, (one) => one.calls),
      seconds: numbers((one) => one.seconds),
      share: numbers((one) => one.share),
      flops: numbers((one) => one.flops),
      bytes: numbers((one) => one.bytes),
      flopsPerSecond: numbers((one) => one.flops / (one.seconds || 1)),
      bytesPerSecond: numbers((one) => one.bytes / (one.seconds || 1)),
      shapes: operations.map((one) => one.shapes),
    });
  }

  /** Writes a trace that https://ui.perfetto.dev and chrome://tracing open. */
  async save(file: string): Promise<void> {
    if (typeof file !== "string" || !file)
      throw new LensorError("profile.save: file is wrong", { expected: "a path", got: describe(file) });
    await writeFile(file, JSON.stringify(traceEvents(this.#tasks, this.#phases, this.seconds)));
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }

  #note(): string {
    return this.#dropped ? `; the first ${this.#tasks.length} operations, later ones were not recorded` : "";
  }
}

interface Phases {
  readonly begin: number;
  readonly paths: (readonly string[])[];
  readonly spans: PhaseSpan[];
  current: number;
}

let open: Phases | undefined;

/**
 * Runs `body` and records every operation that the engine runs for it; resolves when they all have, after a fifth of a second
 * that goes into measuring the machine itself. What `body` throws is thrown here.
 * @throws LensorError where a profile is already under way
 */
export async function profile<T>(body: () => T | Promise<T>): Promise<Profile<T>> {
  if (typeof body !== "function")
    throw new LensorError("profile takes a function", {
      expected: "profile(() => model.generate(...))",
      got: describe(body),
    });
  if (open)
    throw new LensorError("A profile is already under way", { fix: "Await it before starting another." });
  native().beginProfile();
  const phases: Phases = { begin: now(), paths: [[]], spans: [], current: 0 };
  open = phases;
  let value: T;
  let recorded: Awaited<ReturnType<ReturnType<typeof native>["endProfile"]>> | undefined;
  try {
    value = await body();
  } finally {
    open = undefined;
    native().profilePhase(0);
    recorded = await native().endProfile();
  }
  const seconds = now() - phases.begin;
  const tasks = tasksOf(recorded, phases.begin, (phase) => phases.paths[phase] ?? []);
  return new Profile(value, {
    seconds,
    tasks,
    phases: phases.spans,
    dropped: recorded.dropped,
    roof: await measureRoof(),
  });
}

/**
 * Names a part of what is profiled: what `body` enqueues is shown below that name. Anywhere, nested too; does nothing but
 * call `body` while no profile is under way.
 */
profile.phase = <T>(name: string, body: () => T): T => {
  const phases = open;
  if (!phases) return body();
  const outer = phases.current;
  const path = [...phases.paths[outer]!, String(name)];
  const begin = now() - phases.begin;
  phases.current = phases.paths.push(path) - 1;
  native().profilePhase(phases.current);
  const end = () => {
    phases.spans.push({ path, begin, end: now() - phases.begin });
    phases.current = outer;
    if (open === phases) native().profilePhase(outer);
  };
  let result: T;
  try {
    result = body();
  } catch (error) {
    end();
    throw error;
  }
  if (!(result instanceof Promise)) {
    end();
    return result;
  }
  return result.finally(end) as T;
};

/** The best of several short readings, taken in turn: what else the machine does only takes away. */
async function measureRoof(): Promise<Roof> {
  const { probe, releaseProbe } = native();
  const best = { f32: 0, bf16: 0, i8: 0, read: 0 };
  for (let round = 0; round < 6; round++)
    for (const kind of ["f32", "bf16", "i8", "read"] as const)
      best[kind] = Math.max(best[kind], await probe(kind, 5));
  await releaseProbe();
  return best;
}

/** The clock of the engine's events. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}
