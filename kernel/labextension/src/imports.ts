// Adds the import that a completed name needs to the top of its cell. Relies on the kernel for what was offered, and on this:
// whoever picks a completion puts the whole name in at once. A name that is typed letter by letter is left alone.

import type { INotebookModel } from "@jupyterlab/notebook";

type Shared = INotebookModel["sharedModel"]["cells"][number];
type Changed = { readonly sourceChange?: readonly { readonly insert?: unknown }[] };

export class Imports {
  readonly #model: INotebookModel;
  readonly #heard = new WeakSet<Shared>();
  #offers: Readonly<Record<string, string>> = {};

  constructor(model: INotebookModel) {
    this.#model = model;
  }

  /** By name: the statement it needs. Replaces what was offered before. */
  offered(imports: Readonly<Record<string, string>>): void {
    this.#offers = imports;
    if (Object.keys(imports).length === 0) return;
    for (const cell of this.#model.sharedModel.cells) {
      if (cell.cell_type !== "code" || this.#heard.has(cell)) continue;
      this.#heard.add(cell);
      cell.changed.connect((_, change) => this.#changed(cell, change as Changed));
    }
  }

  #changed(cell: Shared, { sourceChange }: Changed): void {
    const inserted = sourceChange?.find(({ insert }) => typeof insert === "string")?.insert as string;
    if (typeof inserted !== "string" || inserted.length < 2 || !Object.hasOwn(this.#offers, inserted)) return;
    const statement = this.#offers[inserted]!;
    this.#offers = {};
    // The editor is still at its own change.
    setTimeout(() => {
      const source = cell.getSource();
      if (source.includes(statement)) return;
      const at = afterHead(source);
      cell.updateSource(at, at, `${statement}\n`);
    });
  }
}

/** Behind the lines that have to stay first: magics, and comments that speak of the whole cell. */
function afterHead(source: string): number {
  return /^(?:[ \t]*(?:%|\/\/|#!).*\n)*/.exec(source)![0].length;
}
