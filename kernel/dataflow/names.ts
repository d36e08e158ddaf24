// The names in one cell's text: which it defines, which are free, and which are local to one of its functions or blocks.
// Relies on compile/ for scopes. Knows names alone: what their values are is for holdings.ts.

import { analyse } from "../compile/scope.ts";
import type { Identifier, Node } from "../compile/syntax.ts";
import { localRoot, type Root } from "./holdings.ts";
import { returnedNames } from "./returned.ts";
import { USING } from "./roots.ts";

/** What the compiler puts in where it lowers newer syntax. */
const HELPERS = "babelHelpers";

export class Names {
  readonly defines: Set<string>;
  /** Own names of functions and of what was imported. */
  readonly makers: Set<string>;
  readonly assigns: Set<string>;
  readonly free: Set<string>;
  /** The references that are to the cell's top level or to other cells. */
  readonly #top: ReadonlySet<Node>;
  /** The scopes of all others. */
  readonly #inner: ReadonlyMap<Node, number>;
  readonly #functions: ReadonlyMap<Node, number>;
  /** Local names whose values functions return. */
  readonly #returned = new Set<Root>();

  constructor(program: Node) {
    const { definitions, free, own, inner, functions } = analyse(program);
    this.makers = new Set(
      definitions.filter(({ kind }) => kind === "function" || kind === "import").map(({ name }) => name),
    );
    this.defines = new Set(definitions.map(({ name }) => name).filter((n) => !n.startsWith(USING)));
    const references = free.filter(({ node }) => node.name !== HELPERS);
    this.assigns = new Set(references.filter((r) => r.assigned).map((r) => r.node.name));
    this.free = new Set(references.map((r) => r.node.name));
    this.#top = new Set<Node>([...references.map((r) => r.node), ...own]);
    this.#inner = inner;
    this.#functions = functions;
    for (const id of returnedNames(program)) if (inner.has(id)) this.#returned.add(this.rootOf(id));
  }

  /** A use of a name of the cell's top level, or of one that other cells may define. */
  isTop(id: Identifier): boolean {
    return this.#top.has(id);
  }

  /** The scope that a local name belongs to. */
  scopeOf(id: Identifier): number | undefined {
    return this.#inner.get(id);
  }

  rootOf(id: Identifier): Root {
    const scope = this.#inner.get(id);
    return scope === undefined ? id.name : localRoot(id.name, scope);
  }

  /** The scope that a function opens. */
  scopeWithin(func: Node): number {
    return this.#functions.get(func)!;
  }

  /** A local name whose value some function returns. */
  isReturned(root: Root): boolean {
    return this.#returned.has(root);
  }
}
