// Runs of one notebook, in the order in which they were asked for. Cells asked for in one turn ("Run All" asks for each one)
// are one request to the kernel, whose plan is then executed without a pause: all requests are under way before
// the first one is answered, so that closing the page does not stop them.

import type { Cell } from "@jupyterlab/cells";
import { type NotebookPanel, runCell } from "@jupyterlab/notebook";
import { canFollowUp, codeCell, followUp, isBlank, optionsFor, type RunOptions } from "./execution.ts";
import type { Link } from "./link.ts";

interface Asked {
  readonly options: RunOptions;
  readonly resolve: (ran: boolean | Promise<boolean>) => void;
}

export class Batches {
  readonly #link: Link;
  readonly #view: () => NotebookPanel | undefined;
  #gathered: Asked[] = [];
  #last: Promise<void> = Promise.resolve();

  /** @param view A panel that shows the notebook, for cells that nobody asked for by hand */
  constructor(link: Link, view: () => NotebookPanel | undefined) {
    this.#link = link;
    this.#view = view;
  }

  /** A person runs a cell. Resolves as that cell's own execution does. */
  add(options: RunOptions): Promise<boolean> {
    const { cell } = options;
    // The kernel may still be starting: what was asked for shows at once.
    if (!isBlank(cell) && "executionState" in cell.model) cell.model.executionState = "running";
    return new Promise((resolve) => {
      this.#gathered.push({ options, resolve });
      if (this.#gathered.length > 1) return;
      queueMicrotask(() => {
        const batch = this.#gathered;
        this.#gathered = [];
        this.#queue(() => this.#run(batch));
      });
    });
  }

  /** Runs these cells, with the stale ones that they need. */
  async replay(cells: readonly string[]): Promise<void> {
    const panel = this.#view();
    if (!panel) return;
    const found = cells.flatMap((id) => codeCell(panel, id) ?? []);
    await Promise.allSettled(found.map((cell) => this.add(optionsFor(panel, cell))));
  }

  runStale(): void {
    this.#queue(async () => {
      for (const id of new Set(await this.#link.ask([], true))) this.#follow(id);
    });
  }

  #queue(work: () => Promise<void>): void {
    this.#last = this.#last
      .then(work)
      .catch((error: unknown) => console.error("lensor: cells could not be run.", error));
  }

  /** Starts everything; does not wait for its end. */
  async #run(batch: readonly Asked[]): Promise<void> {
    const left = new Map<string, Asked[]>();
    for (const asked of batch) {
      const { id } = asked.options.cell.model;
      const same = left.get(id);
      if (same) same.push(asked);
      else left.set(id, [asked]);
    }
    const ids = [...left].flatMap(([id, [first]]) => (isBlank(first!.options.cell) ? [] : [id]));
    const plan = ids.length > 0 ? await this.#link.ask(ids, false) : [];
    // The kernel knows the cells as they are now: a deletion that was undone must not be told again with each request.
    if (plan) batch[0]!.options.notebook.deletedCells.splice(0);
    // Every cell that was asked for is run, whatever the plan says.
    for (const id of new Set([...(plan ?? []), ...left.keys()])) {
      const asked = left.get(id);
      if (asked) this.#start(asked);
      else this.#follow(id);
    }
  }

  /** Two views of a cell are one cell; two cells of one name (a damaged notebook) are two. */
  #start(asked: readonly Asked[]): void {
    const runs = new Map<Cell["model"], Promise<boolean>>();
    for (const { options, resolve } of asked) {
      const { cell } = options;
      const run = runs.get(cell.model) ?? (cell.isDisposed ? Promise.resolve(false) : runCell(options));
      runs.set(cell.model, run);
      if (cell.isDisposed) this.#link.decline(cell.model.id);
      resolve(run);
    }
  }

  #follow(id: string): void {
    const panel = this.#view();
    const cell = panel && codeCell(panel, id);
    if (cell && canFollowUp(panel, cell)) followUp(optionsFor(panel, cell)).catch(() => undefined);
    else this.#link.decline(id);
  }
}
