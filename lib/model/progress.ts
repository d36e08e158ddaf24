// Shows how far a download is: in the cell's output where a kernel hosts us, else as one line of a terminal's stderr.
// Redraws a few times a second at most, and says nothing where nobody looks (a pipe, a log).

import { currentHost } from "../host.ts";

const REDRAW_MS = 200;

export interface Progress {
  update(done: number): void;
  /** The last word: what happened. */
  end(message: string): void;
}

/** Starts showing `label`, out of `total` bytes. */
export function showProgress(label: string, total: number): Progress {
  const host = currentHost();
  const terminal = !host && process.stderr.isTTY;
  let last = Number.NEGATIVE_INFINITY;
  let id: string | undefined;
  let over = false;
  const show = (text: string, fraction: number, ended: boolean) => {
    if (terminal) process.stderr.write(`\r\x1b[2K${text}${ended ? "\n" : ""}`);
    if (!host) return;
    const bundle = { "text/plain": text, "text/html": html(text, ended ? undefined : fraction) };
    if (id === undefined) id = host.display(bundle);
    else host.update(id, bundle);
  };
  const progress: Progress = {
    update(done) {
      // A measurement that was under way when the end came must not draw over it.
      if (over || performance.now() - last < REDRAW_MS) return;
      last = performance.now();
      const fraction = Math.min(1, done / total);
      const text = `${label}: ${megabytes(done)} of ${megabytes(total)} MB (${Math.floor(fraction * 100)} %)`;
      show(text, fraction, false);
    },
    end(message) {
      over = true;
      show(message, 1, true);
    },
  };
  progress.update(0);
  return progress;
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);

function html(text: string, fraction: number | undefined): string {
  const safe = text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!);
  const bar =
    fraction === undefined
      ? ""
      : `<progress value="${fraction.toFixed(3)}" max="1" style="width:16em;margin-right:1em"></progress>`;
  return `<div>${bar}${safe}</div>`;
}
