// One run of one cell: who output belongs to, how it is stopped, and what is told when it ends or is run again.
// Relies on AsyncLocalStorage to follow the run through every await, timer and callback it starts.

import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";
import { cancel, createFlag, isPending, quietly, stopWord } from "./flag.ts";
import { AbortController, performance, process, setTimeout } from "./intrinsics.ts";

/** Thrown into code that was stopped. Compiled cells let it through their own `catch`. */
export class Interrupt extends Error {
  override readonly name = "Interrupt";
  readonly #brand = true;

  /** As `instanceof`, but without running a proxy's traps: what a cell throws may be anything. */
  static is(thrown: unknown): thrown is Interrupt {
    return typeof thrown === "object" && thrown !== null && #brand in thrown;
  }

  constructor(message = "the cell was interrupted") {
    super(message);
  }
}

const STOPPED = new Interrupt();

/** How long a run that has been replaced may clean up, by `invalidation` or its signal. */
const CLEANUP_MS = 1000;

/** Shared with the control thread and with native kernels. */
export const flag = createFlag();

/** What runs were called, for as long as something may still be known by a run's number: the latest of them. */
const labels = new Map<number, string>();
const LABELS = 10_000;

export function labelOf(run: number): string | undefined {
  return labels.get(run);
}

export class Run {
  readonly id: number;
  readonly cell: string;
  readonly label: string;
  /** Not zero when this run's code has to stop, and what it throws then. */
  readonly stop: Int32Array;
  readonly reason = STOPPED;
  readonly controller = new AbortController();
  /** Rejects when the run is interrupted, so that no await can hold it. */
  readonly interrupted: Promise<never>;
  /** Resolves when the cell is run again or deleted. */
  readonly invalidation: Promise<void>;
  /** Timers that repeat until the run is over for good. */
  readonly timers = new Set<NodeJS.Timeout>();
  /** What was asked to be shown and is not there yet: the cell's end waits for it. */
  readonly displays = new Set<Promise<void>>();
  cancelled = false;
  #timed: { readonly wall: number; readonly cpu: NodeJS.CpuUsage } | undefined;
  /** From when on, on the clock of `performance`, nothing of a cancelled run goes on. */
  #deadline = Number.POSITIVE_INFINITY;
  #reject!: (reason: Interrupt) => void;
  #invalidate!: () => void;

  constructor(id: number, cell: string, label: string) {
    this.id = id;
    this.cell = cell;
    this.label = label;
    labels.set(id, label);
    if (labels.size > LABELS) labels.delete(labels.keys().next().value!);
    this.stop = stopWord(flag, id);
    this.interrupted = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.interrupted.catch(() => {});
    this.invalidation = new Promise((resolve) => {
      this.#invalidate = resolve;
    });
  }

  /** Throws when this run must not go on. */
  readonly tick = (): void => {
    if (isPending(flag) || (this.cancelled && performance.now() >= this.#deadline)) throw new Interrupt();
  };

  /** `%%time`: how long it takes is said when it ends. */
  time(): void {
    this.#timed = { wall: performance.now(), cpu: process.cpuUsage() };
  }

  /** What `%%time` says: by the clock, and by all threads of this process. */
  times(): string | undefined {
    if (!this.#timed) return undefined;
    const { user, system } = process.cpuUsage(this.#timed.cpu);
    const wall = performance.now() - this.#timed.wall;
    return `Wall time: ${duration(wall)}, CPU time: ${duration((user + system) / 1000)}\n`;
  }

  interrupt(): void {
    if (this.cancelled) return;
    const reason = new Interrupt();
    // Who listens to the signal is told in the midst of the interrupt, and may clean up.
    quietly(flag, () => this.#stop(reason, 0));
    cancel(this.stop);
    this.#reject(reason);
  }

  /** The cell is run again or deleted: what this run left behind ends. */
  invalidate(): void {
    this.#stop(new Interrupt("the cell was run again"), CLEANUP_MS);
    this.#invalidate();
    setTimeout(cancel, CLEANUP_MS, this.stop).unref();
  }

  /** Node's handles hold their run, and print it with everything it holds. */
  [inspect.custom](): string {
    return `[${this.label}]`;
  }

  #stop(reason: Interrupt, graceMs: number): void {
    this.cancelled = true;
    this.#deadline = performance.now() + graceMs;
    this.controller.abort(reason);
    for (const timer of this.timers) clearInterval(timer);
    this.timers.clear();
  }
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

const storage = new AsyncLocalStorage<Run>();
let latest: Run | undefined;

/** The run whose code is executing: by asynchronous context, else the most recent one. */
export function currentRun(): Run | undefined {
  return storage.getStore() ?? latest;
}

export function within<T>(run: Run, task: () => T): T {
  latest = run;
  return storage.run(run, task);
}

/** Repeating timers end with the run that started them; without this a re-run cell would tick twice. */
export function trackIntervals(): void {
  const original = globalThis.setInterval;
  const tracked = (...args: Parameters<typeof setInterval>): NodeJS.Timeout => {
    const timer = original(...args);
    const run = storage.getStore();
    if (run?.cancelled) clearInterval(timer);
    else run?.timers.add(timer);
    return timer;
  };
  globalThis.setInterval = Object.assign(tracked, original) as typeof setInterval;
}
