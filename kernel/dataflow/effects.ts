// What a cell's code reads and writes, by where it stands: what it does when the cell runs, and what is left to whoever calls
// the functions it stands in. Relies on holdings.ts to follow local names. Never looks at syntax.

import type { Depth, Latent, Uses } from "./facts.ts";
import { changed, type Held, type Holding, Holdings, hold, isLocal, type Root } from "./holdings.ts";

/** Where code stands: whom it belongs to, and whether it runs with the cell, later, or both. */
export interface Context {
  /** What the code's functions, and the values they hand out, become part of. */
  readonly owners: readonly Holding[];
  /** What `this` may be. */
  readonly self: readonly Root[];
  /** The scope of the function that may be called when the one around it is over; 0 outside of such. */
  readonly closure: number;
  /** Inside what a function returns. */
  readonly handedOut: boolean;
  readonly immediate: boolean;
  readonly later: boolean;
}

export const topLevel: Context = {
  owners: [],
  self: [],
  closure: 0,
  handedOut: false,
  immediate: true,
  later: false,
};

/** The same place, for code that belongs to these as well. */
export function ownedBy(context: Context, owners: readonly Holding[]): Context {
  if (owners.length === 0) return context;
  const self = owners.map(({ root }) => root);
  return { ...context, owners: [...context.owners, ...owners], self };
}

export class Effects {
  readonly holdings = new Holdings();
  readonly #reads = new Set<string>();
  readonly #writes = new Map<Root, Depth>();

  /** A top-level or free name is read. */
  read(name: string, { owners, immediate, later }: Context): undefined {
    if (immediate) this.#reads.add(name);
    if (later) for (const owner of owners) owner.reads.add(name);
  }

  /** A top-level or free name gets another value. Which ones the cell assigns as it runs, its scopes already say. */
  assign(name: string, { owners, later }: Context): undefined {
    if (later) for (const owner of owners) changed(owner.writes, name, 0);
  }

  /** A value is changed inside. */
  write(root: Root, depth: Depth, { owners, immediate, later }: Context): undefined {
    if (immediate) changed(this.#writes, root, depth);
    if (later) for (const owner of owners) changed(owner.writes, root, depth);
  }

  /** A closure that changes a variable of the function that made it changes, with every call, what it is itself. */
  writeLocal(scope: number, { owners, closure, later }: Context): undefined {
    if (!later || scope >= closure) return;
    for (const { root, writes } of owners) if (!isLocal(root)) changed(writes, root, 1);
  }

  /** A value becomes part of those whom the code belongs to. */
  hold(held: Held, { owners }: Context): undefined {
    for (const owner of owners) hold(owner, held);
  }

  facts(): { uses: Uses; latent: Map<string, Latent>; stored: Map<string, Latent> } {
    return {
      uses: { reads: this.#reads, writes: this.holdings.written(this.#writes) },
      ...this.holdings.facts(),
    };
  }
}
