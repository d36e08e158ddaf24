// A cell that runs again because something above it changed keeps its output until the new one comes, so that a figure
// behind a slider does not blink and the page does not move. Relies on JupyterLab clearing a cell through two public
// members, the output model's `clear` and the output area's `widgets`; where it does otherwise, the output blinks.

import type { CodeCell } from "@jupyterlab/cells";

/** How long after the new output's arrival its place is held: renderers draw in the next frames. */
const SETTLE_MS = 150;

/** @param run Starts the execution before it returns; resolves with true once the cell has run */
export async function keepingOutputs(cell: CodeCell, run: () => Promise<boolean>): Promise<boolean> {
  const { model, outputArea: area, outputHidden } = cell;
  const { outputs, executionCount } = model;
  let isReplaced = false;
  const changed = () => {
    isReplaced = true;
  };
  const release = holdHeight(area.node.parentElement);
  const clear = outputs.clear.bind(outputs);
  // Cleared when something is added, as the message clear_output with `wait` does.
  Object.defineProperty(outputs, "clear", { configurable: true, value: () => clear(true) });
  Object.defineProperty(area, "widgets", { configurable: true, value: [] });
  let running: Promise<boolean>;
  try {
    running = run();
  } finally {
    delete (outputs as { clear?: unknown }).clear;
    delete (area as { widgets?: unknown }).widgets;
  }
  cell.outputHidden = outputHidden;
  outputs.changed.connect(changed);
  let ran = false;
  try {
    ran = await running;
    return ran;
  } finally {
    outputs.changed.disconnect(changed);
    if (!isReplaced && !cell.isDisposed) {
      if (ran) outputs.clear();
      // Aborted before it began: it still shows what it showed.
      else model.executionCount = executionCount;
    }
    release();
  }
}

const holds = new WeakMap<HTMLElement, number>();

/** Keeps a node from getting lower. Returns what ends that, a little later; of several holds the last one to end counts. */
function holdHeight(node: HTMLElement | null): () => void {
  if (!node) return () => undefined;
  holds.set(node, (holds.get(node) ?? 0) + 1);
  node.style.minHeight = `${node.getBoundingClientRect().height}px`;
  return () =>
    setTimeout(() => {
      const left = holds.get(node)! - 1;
      holds.set(node, left);
      if (left === 0) node.style.minHeight = "";
    }, SETTLE_MS);
}
