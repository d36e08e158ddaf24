// Where the output of each run goes: to the front end that asked for it, for as long as its cell has not been run again.
// Relies on runs being numbered upward. Never shows what a superseded run still says: it would stand under a newer result.

import { performance } from "node:perf_hooks";
import type { Frontend, Output } from "../protocol/session.ts";
import { Allowance } from "./allowance.ts";

/** Late output of older runs than this has nowhere to go. */
const REMEMBERED_RUNS = 5000;

interface Outlet {
  readonly frontend: Frontend;
  readonly printed: Allowance;
}

export class Outlets {
  readonly #outlets = new Map<number, Outlet>();
  readonly #latest = new Map<string, number>();

  /** @param cell The front end's id, where it gives one: requests without are cells of their own. */
  open(run: number, cell: string | undefined, frontend: Frontend): void {
    this.#outlets.set(run, { frontend, printed: new Allowance() });
    this.#outlets.delete(run - REMEMBERED_RUNS);
    if (cell === undefined) return;
    const before = this.#latest.get(cell);
    if (before !== undefined) this.#outlets.delete(before);
    this.#latest.set(cell, run);
  }

  show(run: number, output: Output): void {
    const outlet = this.#outlets.get(run);
    if (!outlet) return;
    if (output.type === "stream") {
      const text = outlet.printed.admit(output.text, performance.now());
      if (text) outlet.frontend.output({ ...output, text });
    } else outlet.frontend.output(output);
  }

  /** The run is over: says what was left out of its output. */
  settle(run: number): void {
    const outlet = this.#outlets.get(run);
    const note = outlet?.printed.settle();
    if (note) outlet?.frontend.output({ type: "stream", name: "stderr", text: note });
  }

  frontend(run: number): Frontend | undefined {
    return this.#outlets.get(run)?.frontend;
  }

  /** Cells that are gone: what their runs still say goes nowhere. */
  forget(cells: readonly string[]): void {
    for (const cell of cells) {
      const run = this.#latest.get(cell);
      if (run !== undefined) this.#outlets.delete(run);
      this.#latest.delete(cell);
    }
  }
}
