// The names of the notebook: one live binding per (cell, name), found from the nearest cell above.
// Relies on the accessors that a compiled cell hands out. Never copies a value.

export interface Binding {
  get(): unknown;
  set?(value: unknown): void;
}

type Accessors = Record<string, readonly [() => unknown, ((value: unknown) => void)?]>;

const UNNAMED = "request-";

/** The id of a cell whose front end gives none: each request is a cell of its own. */
export function unnamedCell(run: number): string {
  return UNNAMED + run;
}

export function isUnnamed(cell: string): boolean {
  return cell.startsWith(UNNAMED);
}

export class Namespace {
  readonly #cells = new Map<string, Map<string, Binding>>();
  #order: string[] = [];
  #told = false;

  /** The front end's document order. Cells it does not list keep their place behind the listed ones. */
  arrange(order: readonly string[]): void {
    const listed = new Set(order);
    this.#order = [...order, ...this.#order.filter((cell) => !listed.has(cell))];
    this.#told = true;
  }

  /** A cell's place: where the front end says, else that of its first execution. */
  place(cell: string): void {
    if (!this.#order.includes(cell)) this.#order.push(cell);
  }

  remove(cell: string): void {
    this.#cells.delete(cell);
    this.#order = this.#order.filter((other) => other !== cell);
  }

  /** Drops what the cell defined before: a new run begins. */
  clear(cell: string): void {
    this.#cells.set(cell, new Map());
  }

  /** Every cell that has run. */
  cells(): string[] {
    return [...this.#cells.keys()];
  }

  /** The names that a cell defines. */
  of(cell: string): Iterable<[string, Binding]> {
    return this.#cells.get(cell) ?? [];
  }

  define(cell: string, accessors: Accessors): void {
    const bindings = this.#cells.get(cell);
    if (!bindings) return;
    for (const [name, [get, set]] of Object.entries(accessors)) {
      if (isUnnamed(cell)) this.#release(name);
      bindings.set(name, set ? { get, set } : { get });
    }
  }

  /**
   * Cells without an id, a console's, never run again: of a name defined twice only the latest can ever be seen, as long
   * as no cell has an id, and the others may be collected.
   */
  #release(name: string): void {
    if (!this.#order.every(isUnnamed)) return;
    for (const bindings of this.#cells.values()) bindings.delete(name);
  }

  /** The names a cell can see of others, and where they lead. */
  visible(cell: string): Map<string, Binding> {
    const at = this.#order.indexOf(cell);
    const above = at < 0 ? this.#order : this.#order.slice(0, at);
    // Where the front end gives no order, that of first execution is a guess: a name that no cell above defines
    // is then taken from below rather than missed, since the cell that defines it may well stand above.
    const below = this.#told || at < 0 ? [] : this.#order.slice(at + 1);
    const found = new Map<string, Binding>();
    for (const other of [...below, ...above])
      for (const [name, binding] of this.#cells.get(other) ?? []) found.set(name, binding);
    return found;
  }

  /** What some names mean, where it is known which cells define them; a cell that has not run defines none. */
  pick(meanings: Readonly<Record<string, string>>): Map<string, Binding> {
    const found = new Map<string, Binding>();
    for (const [name, cell] of Object.entries(meanings)) {
      const binding = this.#cells.get(cell)?.get(name);
      if (binding) found.set(name, binding);
    }
    return found;
  }

  /** Every name, as the end of the notebook sees it. */
  all(): Map<string, Binding> {
    return new Map([...this.defined()].map(([name, { binding }]) => [name, binding]));
  }

  /** Every name with its value; a name in its temporal dead zone has none. */
  *values(): Generator<[string, unknown]> {
    for (const [name, binding] of this.all()) {
      let value: unknown;
      try {
        value = binding.get();
      } catch {
        continue;
      }
      yield [name, value];
    }
  }

  /** Every name, as the end of the notebook sees it, with the cell that defines it. */
  defined(): Map<string, { cell: string; binding: Binding }> {
    const found = new Map<string, { cell: string; binding: Binding }>();
    for (const cell of this.#order)
      for (const [name, binding] of this.#cells.get(cell) ?? []) found.set(name, { cell, binding });
    return found;
  }
}
