// A figure that is drawn again and again in one place of the cell's output while long work goes on: redrawn a few times a
// second at most, and the last state always. In plain Node nothing is shown.

import { currentHost } from "../host.ts";
import { bundleOf, type Figure, type PlotlySpec } from "./figure.ts";
import { plot } from "./plot.ts";

const REDRAW_MS = 150;

/** A place in the cell's output. */
export interface Live {
  /** Whether it would be drawn now: what is dear to prepare can wait for that. */
  readonly isDue: boolean;
  /** Draws a state over the one before, unless that was drawn just now; `last` is drawn whatever came before. */
  show(state: PlotlySpec | Figure | readonly number[], options?: { last?: boolean }): Promise<void>;
}

/** `const curve = plot.live()`, then `await curve.show({ data, layout })` as often as there is something new. */
export function live(): Live {
  const host = currentHost();
  const signal = host?.signal?.();
  let id: string | undefined;
  let drawn = Number.NEGATIVE_INFINITY;
  return {
    get isDue() {
      return performance.now() - drawn >= REDRAW_MS;
    },
    async show(state, { last = false } = {}) {
      if (!host || signal?.aborted || (!last && !this.isDue)) return;
      const bundle = bundleOf(await plot(state).spec());
      drawn = performance.now();
      if (id === undefined) id = host.display(bundle);
      else host.update(id, bundle);
      // The page hears of it before the next stretch of work.
      await new Promise(setImmediate);
    },
  };
}
