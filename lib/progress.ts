// Shows how far long work is and about how long it still takes: in the cell's output where a kernel hosts us, else as one
// line of a terminal's stderr. Redraws a few times a second at most, and says nothing where nobody looks (a pipe, a log).

import { currentHost } from "./host.ts";
import { formatDuration } from "./plot/format.ts";

const REDRAW_MS = 200;
/** Before this an estimate would be a guess. */
const ESTIMATE_MS = 1000;

export interface ProgressOptions {
  /** The amounts in words, such as "12 of 93 MB". */
  amount: (done: number, total: number) => string;
  /** Nothing is shown before this: most work is over by then. */
  afterMs?: number;
}

export interface Progress {
  update(done: number): void;
  /** The last word: what happened. */
  end(message: string): void;
}

let silent = 0;

/** Work within work: what `body` does shows neither progress nor growing replies of its own. */
export async function quietly<T>(body: () => Promise<T>): Promise<T> {
  silent++;
  try {
    return await body();
  } finally {
    silent--;
  }
}

/** Whether it is to be silent just now. */
export const isSilent = (): boolean => silent > 0;

/** Starts showing `label`, out of `total`. */
export function showProgress(label: string, total: number, options: ProgressOptions): Progress {
  const { amount, afterMs = 0 } = options;
  if (silent) return { update() {}, end() {} };
  const host = currentHost();
  const terminal = !host && process.stderr.isTTY;
  const began = performance.now();
  let last = Number.NEGATIVE_INFINITY;
  let id: string | undefined;
  let over = false;
  const show = (text: string, fraction: number | undefined) => {
    last = performance.now();
    if (terminal) process.stderr.write(`\r\x1b[2K${text}${fraction === undefined ? "\n" : ""}`);
    if (!host) return;
    const bundle = { "text/plain": text, "text/html": html(text, fraction) };
    if (id === undefined) id = host.display(bundle);
    else host.update(id, bundle);
  };
  const progress: Progress = {
    update(done) {
      const now = performance.now();
      // A measurement that was under way when the end came must not draw over it.
      if (over || now - began < afterMs || now - last < REDRAW_MS) return;
      const fraction = Math.min(1, done / total);
      const left = (((now - began) / 1000) * (1 - fraction)) / fraction;
      const estimate =
        fraction > 0 && now - began > ESTIMATE_MS ? `, about ${formatDuration(left)} left` : "";
      show(`${label}: ${amount(done, total)} (${Math.floor(fraction * 100)} %${estimate})`, fraction);
    },
    end(message) {
      over = true;
      if (last > 0) show(message, undefined);
    },
  };
  progress.update(0);
  return progress;
}

function html(text: string, fraction: number | undefined): string {
  const safe = text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!);
  const bar =
    fraction === undefined
      ? ""
      : `<progress value="${fraction.toFixed(3)}" max="1" style="width:16em;margin-right:1em"></progress>`;
  return `<div>${bar}${safe}</div>`;
}
