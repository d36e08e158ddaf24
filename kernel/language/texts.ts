// The texts of a session's cells in document order, each with the file it is to the type checker. Pure state without a parser:
// it is kept from the first cell on, whether anybody ever asks of types or not.

/** Where the module of a cell is said to be, in the notebook's folder; no such file is ever written. */
export const CELL = "lensor-cell-";

export interface CellText {
  readonly id: string;
  readonly file: string;
  readonly text: string;
  /** A cell of its own at each request: a console's. */
  readonly unnamed: boolean;
}

/** A console that goes on for days: what its oldest lines defined has no type any more. */
const MOST_UNNAMED = 1000;

export class Texts {
  readonly #cells = new Map<string, CellText>();
  #order: string[] = [];
  #ordered = false;
  #lastFile = 0;
  /** Files of cells that are gone, for those to come: the language server does not survive that an open file is closed. */
  readonly #free: string[] = [];

  /** In document order. */
  *[Symbol.iterator](): Generator<CellText> {
    for (const id of this.#order) yield this.#cells.get(id)!;
  }

  get size(): number {
    return this.#cells.size;
  }

  /** Whether a front end has told the order: that of first execution is a guess. */
  get ordered(): boolean {
    return this.#ordered;
  }

  get unused(): readonly string[] {
    return this.#free;
  }

  get(id: string): CellText | undefined {
    return this.#cells.get(id);
  }

  /** A cell's text, where it stands or, if it is new, at the end. */
  put(id: string, text: string, unnamed = false): void {
    const known = this.#cells.get(id);
    if (known?.text === text) return;
    const file = known?.file ?? this.#free.pop() ?? `${CELL}${++this.#lastFile}.ts`;
    this.#cells.set(id, { id, file, text, unnamed });
    if (known) return;
    this.#order.push(id);
    if (unnamed) this.remove(this.#unnamed().slice(0, -MOST_UNNAMED));
  }

  /** The document's order. Cells it does not list keep their place behind the listed ones. */
  arrange(order: readonly string[]): void {
    const listed = new Set(order);
    const known = order.filter((id) => this.#cells.has(id));
    this.#order = [...known, ...this.#order.filter((id) => !listed.has(id))];
    this.#ordered = true;
  }

  /** What a console has defined is gone; cells with a place in a document stand as they are written. */
  reset(): void {
    this.remove(this.#unnamed());
  }

  #unnamed(): string[] {
    return this.#order.filter((id) => this.#cells.get(id)!.unnamed);
  }

  remove(ids: readonly string[]): void {
    if (ids.length === 0) return;
    for (const id of ids) {
      const cell = this.#cells.get(id);
      if (cell) this.#free.push(cell.file);
      this.#cells.delete(id);
    }
    this.#order = this.#order.filter((id) => this.#cells.has(id));
  }
}
