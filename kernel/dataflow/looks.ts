// Which of its own names a cell looks at itself, and does not only show: a cell that reads an input that it makes is outdated
// when the input moves. Relies on holdings.ts for whose value a local name has. Never looks at what runs later.

import { child, type Identifier, isIdentifier, type Node } from "../compile/syntax.ts";
import { type Holdings, isLocal, type Root } from "./holdings.ts";
import type { Names } from "./names.ts";
import { unwrapped } from "./roots.ts";

export class Looks {
  readonly #names: Names;
  /** Uses that show a value and look no further. */
  readonly #shown = new Set<Node>();
  /** Local names whose parts the cell looks at. */
  readonly #opened = new Set<Root>();
  readonly #consumes = new Set<string>();

  constructor(names: Names) {
    this.#names = names;
  }

  /** What a cell ends with is shown. What it takes out of a value to show it, it has looked at. */
  end(value: Node): undefined {
    this.#shown.add(unwrapped(value));
  }

  /** A value, or a part of one, is shown or handed on as it is. An input's `value` is no part: it is what moves. */
  show(value: Node): undefined {
    const node = unwrapped(value);
    if (node.type !== "MemberExpression") this.#shown.add(node);
    else if ((child(node, "property") as Partial<Identifier>).name !== "value")
      this.show(child(node, "object")!);
  }

  /** A local input that is read here outdates the cell when it moves, under whatever name others hold it. */
  open(value: Node): undefined {
    const node = unwrapped(value);
    if (isIdentifier(node) && isLocal(this.#names.rootOf(node))) this.#opened.add(this.#names.rootOf(node));
  }

  read(node: Identifier): undefined {
    if (this.#names.defines.has(node.name) && !this.#shown.has(node)) this.#consumes.add(node.name);
  }

  /** The cell's own names that it looks at, by themselves or through local ones. */
  consumes(holdings: Holdings): Set<string> {
    if (this.#opened.size === 0) return this.#consumes;
    const parts = holdings.written(new Map([...this.#opened].map((root) => [root, 1])));
    const through = [...holdings.holders(this.#opened), ...parts.keys()];
    return new Set([...this.#consumes, ...through.filter((name) => this.#names.defines.has(name))]);
  }
}
