// The marks at the cells' left edge: a thin bar whose shape says the cell's state, with its reason as a tooltip.
// Relies on style/marks.css for the looks. A mark lies in the cell's own margin, so it never changes a cell's height.

import { isCodeCellModel } from "@jupyterlab/cells";
import type { NotebookPanel } from "@jupyterlab/notebook";
import { Frame } from "./frame.ts";
import type { Change, Link } from "./link.ts";
import type { Mark } from "./messages.ts";
import { modeOf } from "./mode.ts";
import { markText } from "./words.ts";

/** Draws a notebook's marks in one of its panels until that panel is closed. */
export function showMarks(panel: NotebookPanel, link: Link): void {
  // Cells of a long notebook are detached and attached again while one scrolls; their nodes keep their marks.
  const painting = new Frame(() => {
    const isOff = modeOf(link.model) === "off";
    for (const { model, node } of panel.content.widgets) {
      if (!isCodeCellModel(model)) continue;
      const mark = link.marks.get(model.id);
      // What a cell shows from an earlier session, or from the cell that it is a copy of, is nobody's promise.
      const isOld = !isOff && (model.outputs.length > 0 || model.executionCount !== null);
      putMark(node, mark && isShown(mark, isOld) ? mark : undefined);
    }
  });
  const soon = () => painting.soon();
  const onChange = (_: Link, change: Change) => {
    if (change === "marks" || change === "mode") soon();
  };
  link.changed.connect(onChange);
  link.model.cells.changed.connect(soon);
  panel.disposed.connect(() => {
    painting.cancel();
    link.changed.disconnect(onChange);
  });
  soon();
}

function putMark(cell: HTMLElement, mark: Mark | undefined): void {
  const shown = cell.querySelector<HTMLElement>(":scope > .lensor-mark");
  if (!mark) {
    shown?.remove();
    return;
  }
  const node = shown ?? markNode();
  describe(node, mark);
  if (!shown) cell.append(node);
}

/** What is as it should be needs no mark. */
const isShown = ({ state, frozen }: Mark, isOld: boolean) =>
  frozen || (state === "new" ? isOld : state !== "fresh");

export function markNode(): HTMLElement {
  const node = document.createElement("div");
  node.className = "lensor-mark";
  node.setAttribute("role", "img");
  return node;
}

export function describe(node: HTMLElement, mark: Mark): void {
  const text = markText(mark);
  node.dataset.state = mark.state;
  node.toggleAttribute("data-frozen", mark.frozen);
  // A tooltip that is set anew while the pointer rests on it would vanish.
  if (node.title === text) return;
  node.title = text;
  node.setAttribute("aria-label", text);
}
