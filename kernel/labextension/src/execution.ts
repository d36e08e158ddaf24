// One cell run as an ordinary execution, by JupyterLab's own function, without touching focus, selection or scroll position.
// Relies on the notebook's panel for what the stock executor wants to know.

import type { Cell, CodeCell } from "@jupyterlab/cells";
import {
  type INotebookCellExecutor,
  NotebookActions,
  type NotebookPanel,
  runCell,
} from "@jupyterlab/notebook";
import { Signal } from "@lumino/signaling";
import { keepingOutputs } from "./outputs.ts";

export type RunOptions = INotebookCellExecutor.IRunCellOptions;

/** The widget of a code cell, in a view of the notebook. */
export function codeCell(panel: NotebookPanel, id: string): CodeCell | undefined {
  const cell = panel.content.widgets.find(({ model }) => model.id === id && model.type === "code");
  return cell as CodeCell | undefined;
}

/** JupyterLab sends nothing to the kernel for such a cell. */
export const isBlank = ({ model }: Cell) => !model.sharedModel.getSource().trim();

/** What a cell run by nobody's hand is run with. */
export function optionsFor(panel: NotebookPanel, cell: Cell): RunOptions {
  const notebook = panel.content;
  return {
    cell,
    notebook: notebook.model!,
    notebookConfig: notebook.notebookConfig,
    sessionContext: panel.sessionContext,
    onCellExecuted: (args) => announce(NotebookActions.executed, { notebook, ...args }),
    onCellExecutionScheduled: (args) => announce(NotebookActions.executionScheduled, { notebook, ...args }),
  };
}

/** Runs a cell that is not a person's own choice: what it shows stays until there is something new to show. */
export function followUp(options: RunOptions): Promise<boolean> {
  return keepingOutputs(options.cell as CodeCell, () => runCell(options));
}

/** Where the stock executor would ask the person something, a cell that nobody asked for is not run at all. */
export function canFollowUp({ sessionContext }: NotebookPanel, cell: Cell): boolean {
  return (
    !isBlank(cell) &&
    !sessionContext.isTerminating &&
    !sessionContext.pendingInput &&
    !sessionContext.hasNoKernel
  );
}

/** Other extensions follow executions by these signals, which JupyterLab itself emits for its own runs only. */
function announce(signal: unknown, args: object): void {
  if (signal instanceof Signal) signal.emit(args);
}
