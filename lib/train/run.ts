// Work that a person has begun and holds: it goes on by itself, shows itself while it does, can be paused, ended and awaited.
// One class for every verb that learns. Relies on a journal for what happened; the work itself is a function that asks, before
// each step, whether to go on.

import type { Table } from "apache-arrow";
import { currentHost, type Host } from "../host.ts";
import { bundleOf, Figure, type MimeBundle } from "../plot/figure.ts";
import { trainingFigure } from "../plot/training.ts";
import { isSilent, type Progress, showProgress } from "../progress.ts";
import type { Provenance } from "../provenance.ts";
import type { Journal } from "./journal.ts";

/** "stopped": it was ended before its last step, and what it learnt until then is its result. */
export type RunState = "running" | "paused" | "done" | "stopped" | "failed";

/** What the work of a run sees of it. */
export interface Steering {
  /** Aborted when the run is to end. */
  readonly signal: AbortSignal;
  /** To be awaited before each step: waits while the run is paused, and says whether to take the step. */
  proceed(): Promise<boolean>;
  /** There is something new in the journal. */
  report(): Promise<void>;
  /** Ends the run after what is under way, for a reason of the work's own. */
  stop(): void;
}

const REDRAW_MS = 150;
/** At most this share of the time goes into pictures. */
const REDRAW_SHARE = 0.04;

/**
 * Work that was begun and goes on by itself: it shows itself while it does, can be paused, stopped and awaited, and is
 * resumed from its folder. Awaiting it gives what was learnt.
 */
export class Run<T> implements PromiseLike<T> {
  readonly #journal: Journal;
  readonly #controller = new AbortController();
  readonly #result: Promise<T>;
  readonly #places: Place[] = [];
  #line: Progress | undefined;
  #state: RunState = "running";
  #pause: { over: Promise<void>; end: () => void } | undefined;

  /** @internal Begins at once. Use `model.finetune` and its like. */
  constructor(
    journal: Journal,
    work: (steering: Steering) => Promise<T>,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ) {
    this.#journal = journal;
    for (const one of [signal, currentHost()?.signal?.()]) {
      if (one?.aborted) this.stop();
      one?.addEventListener("abort", () => this.stop(), { signal: this.#controller.signal });
    }
    if (currentHost() && !isSilent()) this.#places.push(new Place(currentHost()!));
    else if (!currentHost()) this.#line = this.#startLine();
    const steering: Steering = {
      signal: this.signal,
      proceed: () => this.#proceed(),
      report: () => this.#report(),
      stop: () => this.stop(),
    };
    // The place in the cell is taken at once, so that outputs stand in the order of the calls.
    void this.#draw(true);
    this.#result = Promise.resolve()
      .then(() => work(steering))
      .then(
        (value) => this.#end(this.signal.aborted ? "stopped" : "done", value),
        (error) => this.#end("failed", undefined as T).then(() => Promise.reject(error)),
      );
  }

  get state(): RunState {
    return this.#state;
  }

  /** Aborted when it is to end: by `stop()`, by its cell, or by the signal that it was given. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** One row an optimizer step: step, loss (before the step's update), evalLoss (after it), lr, gradNorm, tokensPerSecond, and what the objective notes. */
  get history(): Table {
    return this.#journal.table();
  }

  get provenance(): Provenance {
    return this.#journal.facts.provenance;
  }

  /** What it has written down. @internal */
  get journal(): Journal {
    return this.#journal;
  }

  /** Ends it after the step under way; awaiting it gives what was learnt until then. */
  stop(): void {
    this.#controller.abort();
    this.resume();
  }

  /** Waits before the next step until `resume()` or `stop()`. */
  pause(): void {
    if (this.#state !== "running" || this.signal.aborted) return;
    this.#state = "paused";
    let end!: () => void;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#pause = { over, end };
    void this.#draw(true);
  }

  resume(): void {
    if (this.#state === "paused") this.#state = "running";
    this.#pause?.end();
    this.#pause = undefined;
  }

  /** Loss, held-out loss, rate and gradient norm, as far as it has come. */
  plot(): Figure {
    const input = { ...this.#journal.toJSON(), state: this.#state };
    return new Figure(() => trainingFigure(input));
  }

  /** The history. */
  table(): Table {
    return this.history;
  }

  /** Awaiting gives the result, as soon as it is there. */
  // biome-ignore lint/suspicious/noThenProperty: a run is awaited
  then<A = T, B = never>(
    resolved?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(resolved, rejected);
  }

  /** What a list of variables says of it. */
  [Symbol.for("lensor.facts")]() {
    const { rows, facts } = this.#journal;
    return { type: `Run, step ${rows.at(-1)?.step ?? 0} of ${facts.steps}, ${this.#state}` };
  }

  /** In the cell that began it, it is there already; the cell waits for it all the same. */
  async [Symbol.for("Jupyter.display")](): Promise<MimeBundle | undefined> {
    const host = currentHost();
    const going = this.#state === "running" || this.#state === "paused";
    const signal = host?.signal?.();
    if (!host || !going) {
      if (!this.#places.some((place) => place.signal === signal && host))
        return bundleOf(await this.plot().spec());
      return undefined;
    }
    if (!this.#places.some((place) => place.signal === signal)) {
      this.#places.push(new Place(host));
      await this.#draw(true);
    }
    await this.#result;
    return undefined;
  }

  async #proceed(): Promise<boolean> {
    await this.#pause?.over;
    return !this.signal.aborted;
  }

  async #report(): Promise<void> {
    this.#line?.update(this.#journal.rows.at(-1)?.step ?? 0);
    await this.#draw(false);
  }

  async #end(state: RunState, value: T): Promise<T> {
    this.#state = state;
    const { rows, facts } = this.#journal;
    this.#line?.end(
      `${facts.call}: ${rows.length} of ${facts.steps} steps${state === "done" ? "" : `, then ${state}`}`,
    );
    await this.#draw(true).catch(() => {});
    return value;
  }

  async #draw(now: boolean): Promise<void> {
    const due = this.#places.filter((place) => now || place.isDue);
    if (due.length === 0) return;
    const began = performance.now();
    const bundle = bundleOf(trainingFigure({ ...this.#journal.toJSON(), state: this.#state }));
    for (const place of due) place.show(bundle, performance.now() - began);
    // The page hears of it before the next stretch of work.
    await new Promise(setImmediate);
  }

  #startLine(): Progress {
    const { call, steps } = this.#journal.facts;
    return showProgress(call, steps, {
      amount: (done, total) => {
        const loss = this.#journal.rows.at(-1)?.loss;
        return `step ${done} of ${total}${typeof loss === "number" ? `, loss ${loss.toPrecision(4)}` : ""}`;
      },
    });
  }
}

/** Where a run is drawn, again and again, in one cell's output. */
class Place {
  readonly signal: AbortSignal | undefined;
  readonly #host: Host;
  #id: string | undefined;
  #next = Number.NEGATIVE_INFINITY;

  constructor(host: Host) {
    this.#host = host;
    this.signal = host.signal?.();
  }

  get isDue(): boolean {
    return performance.now() >= this.#next;
  }

  /** @param cost What the picture took to make, in milliseconds. */
  show(bundle: MimeBundle, cost: number): void {
    if (this.#id === undefined) this.#id = this.#host.display(bundle);
    else this.#host.update(this.#id, bundle);
    this.#next = performance.now() + Math.max(REDRAW_MS, cost / REDRAW_SHARE);
  }
}
