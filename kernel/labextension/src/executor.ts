// JupyterLab's cell-executor plug-in: cells of our kernels go through the kernel's plan, all others to the stock function.
// Relies on links alone and needs no other part of JupyterLab, since the notebook's own parts wait for it.

import { type INotebookCellExecutor, runCell } from "@jupyterlab/notebook";
import type { RunOptions } from "./execution.ts";
import type { Links } from "./links.ts";

export class CellExecutor implements INotebookCellExecutor {
  readonly #links: Links;

  constructor(links: Links) {
    this.#links = links;
  }

  runCell(options: RunOptions): Promise<boolean> {
    const { cell, notebook, sessionContext } = options;
    const linked = cell.model.type === "code" && sessionContext ? this.#links.of(notebook) : undefined;
    const owner = linked?.link.owner;
    return linked && (owner === "ours" || owner === "unknown")
      ? linked.batches.add(options)
      : runCell(options);
  }
}
