// The cells of a session as the type checker sees them: one module each, in document order, whose imports stand after its text.
// A name means its nearest definition above, as when cells run. Relies on outline.ts. Pure state: starts nothing, sends nothing.

import { closing } from "./complete-code.ts";
import { type Outline, outlineOf } from "./outline.ts";

/** Where the module of a cell is said to be, in the notebook's folder; no such file is ever written. */
export const CELL = "lensor-cell-";

interface Cell {
  readonly id: string;
  readonly file: string;
  readonly text: string;
  /** Read when it is first asked for: cells run without a parser. */
  outline?: Outline;
  /** A cell of its own at each request: a console's. */
  readonly unnamed: boolean;
}

/** A console that goes on for days: what its oldest lines defined has no type any more. */
const MOST_UNNAMED = 1000;

export class Cells {
  readonly #cells = new Map<string, Cell>();
  #order: string[] = [];
  #told = false;
  #lastFile = 0;
  /** Files of cells that are gone, for those to come: the language server does not survive that an open file is closed. */
  readonly #free: string[] = [];

  get size(): number {
    return this.#cells.size;
  }

  has(id: string): boolean {
    return this.#cells.has(id);
  }

  /** A cell's text, where it stands or, if it is new, at the end. */
  put(id: string, text: string, unnamed = false): void {
    const known = this.#cells.get(id);
    if (known?.text === text) return;
    const file = known?.file ?? this.#free.pop() ?? `${CELL}${++this.#lastFile}.ts`;
    this.#cells.set(id, { id, file, text, unnamed });
    if (known) return;
    this.#order.push(id);
    if (!unnamed) return;
    const old = this.#order.filter((other) => this.#cells.get(other)!.unnamed).slice(0, -MOST_UNNAMED);
    if (old.length) this.remove(old);
  }

  /** The document's order. Cells it does not list keep their place behind the listed ones. */
  arrange(order: readonly string[]): void {
    const listed = new Set(order);
    this.#order = [
      ...order.filter((id) => this.#cells.has(id)),
      ...this.#order.filter((id) => !listed.has(id)),
    ];
    this.#told = true;
  }

  remove(ids: Iterable<string>): void {
    for (const id of ids) {
      const cell = this.#cells.get(id);
      if (cell) this.#free.push(cell.file);
      this.#cells.delete(id);
    }
    this.#order = this.#order.filter((id) => this.#cells.has(id));
  }

  file(id: string): string | undefined {
    return this.#cells.get(id)?.file;
  }

  text(id: string): string | undefined {
    return this.#cells.get(id)?.text;
  }

  /** Every cell's file with the text of its module. */
  modules(): Map<string, string> {
    const modules = new Map(this.#free.map((file) => [file, "export{}"]));
    const visible = this.#below();
    for (const id of this.#order) {
      const cell = this.#cells.get(id)!;
      const outline = this.#outline(cell);
      modules.set(cell.file, moduleOf(cell.text, outline, visible));
      for (const name of defined(outline, visible)) visible.set(name, cell.file);
    }
    return modules;
  }

  /** The module of a text that is being typed: the cell it most likely belongs to, or a new one at the end. */
  draft(text: string): string {
    const outline = outlineOf(text);
    const at = this.#place(text);
    const visible = this.#below();
    for (const id of this.#order) {
      if (id === at) break;
      const cell = this.#cells.get(id)!;
      for (const name of defined(this.#outline(cell), visible)) visible.set(name, cell.file);
    }
    // The name at the cursor is not there yet: it may become any that can be seen. Brackets that are still open would
    // swallow what follows.
    return moduleOf(`${text}\n${closing(text)}`, { ...outline, words: new Set(visible.keys()) }, visible);
  }

  /**
   * Where no front end told the order, that of first execution is a guess: a name that no cell above defines is taken from
   * below, as when cells run.
   */
  #below(): Map<string, string> {
    const names = new Map<string, string>();
    if (this.#told) return names;
    for (const id of this.#order) {
      const cell = this.#cells.get(id)!;
      for (const name of this.#outline(cell).defines) names.set(name, cell.file);
    }
    return names;
  }

  #outline(cell: Cell): Outline {
    cell.outline ??= outlineOf(cell.text);
    return cell.outline;
  }

  /** The cell that a text is a version of: it shares its beginning and its end with most of what the cell holds. */
  #place(text: string): string | undefined {
    let best: string | undefined;
    let most = 0;
    for (const id of this.#order) {
      const cell = this.#cells.get(id)!;
      if (cell.unnamed) continue;
      if (cell.text === text) return id;
      const shared = sharedEnds(cell.text, text);
      if (shared >= most && shared >= 3 && 2 * shared >= Math.max(cell.text.length, text.length)) {
        most = shared;
        best = id;
      }
    }
    return best;
  }
}

function sharedEnds(a: string, b: string): number {
  const least = Math.min(a.length, b.length);
  let start = 0;
  while (start < least && a[start] === b[start]) start++;
  let end = 0;
  while (end < least - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return start + end;
}

/** What cells below see of a cell: its own names, and those of others that it assigns. */
function* defined({ defines, assigns }: Outline, visible: ReadonlyMap<string, string>): Generator<string> {
  yield* defines;
  for (const name of assigns) if (visible.has(name)) yield name;
}

/**
 * A cell's module: its text as typed, then what it sees of others, then what others see of it. Whoever assigns another cell's
 * name has a variable of its own that starts with the other's value: of the type that `let name = value` would have.
 */
function moduleOf(text: string, outline: Outline, visible: ReadonlyMap<string, string>): string {
  const { defines, exported, assigns, words } = outline;
  const after: string[] = [];
  for (const name of words) {
    const file = visible.get(name);
    if (file === undefined || defines.has(name)) continue;
    if (assigns.has(name))
      after.push(
        `import{${name} as $lensor_${name}}from"./${file}";`,
        `function $lensor_of_${name}(){let v=$lensor_${name};return v}`,
        `declare let ${name}:ReturnType<typeof $lensor_of_${name}>;`,
      );
    else after.push(`import{${name}}from"./${file}";`);
  }
  const names = [...defined(outline, visible)].filter((name) => !exported.has(name));
  return `${text}\n;${after.join("")}export{${names.join(",")}}`;
}
