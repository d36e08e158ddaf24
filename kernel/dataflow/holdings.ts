// What the values under a cell's names hold on to: other names' values, and functions that use names when they are called.
// Local names are followed until only top-level and free ones are left. Pure bookkeeping: never looks at syntax.

import type { Depth, Latent } from "./facts.ts";

/** A name a value may stem from: a top-level or free one as it is, a local one with a mark before it. */
export type Root = string;

const LOCAL = "local ";

export function localRoot(name: string, scope: number): Root {
  return `${LOCAL}${scope} ${name}`;
}

export function isLocal(root: Root): boolean {
  return root.startsWith(LOCAL);
}

/** Names whose value a value may be or be part of, and those whose value it may contain. */
export interface Held {
  readonly is: readonly Root[];
  readonly has: readonly Root[];
}

export interface Holding {
  /** The name whose value this is about. */
  readonly root: Root;
  /** Top-level and free names that its functions read. */
  readonly reads: Set<string>;
  readonly writes: Map<Root, Depth>;
  readonly aliases: Set<Root>;
  readonly contains: Set<Root>;
}

export function hold(holding: Holding, held: Held | undefined): void {
  for (const root of held?.is ?? []) holding.aliases.add(root);
  for (const root of held?.has ?? []) holding.contains.add(root);
}

export function changed(writes: Map<Root, Depth>, root: Root, depth: Depth): void {
  if ((writes.get(root) ?? -1) < depth) writes.set(root, depth);
}

export class Holdings {
  readonly #bound = new Map<Root, Holding>();
  readonly #stored = new Map<Root, Holding>();
  /** Those of the stored ones that may be put into a part of the value, not just into the value. */
  readonly #deep = new Set<Root>();

  /** What a name is bound to. */
  bound(root: Root): Holding {
    return entry(this.#bound, root);
  }

  /** What is put into parts of the value under a name. */
  stored(root: Root, depth: Depth): Holding {
    if (depth === 2) this.#deep.add(root);
    return entry(this.#stored, root);
  }

  /** Writes of top-level and free names, and of those that local ones stand for. */
  written(writes: ReadonlyMap<Root, Depth>): Map<string, Depth> {
    const found = new Map<string, Depth>();
    for (const [root, depth] of writes) {
      if (!isLocal(root)) changed(found, root, depth);
      else for (const name of this.#names(this.#changing(root, depth))) changed(found, name, 2);
    }
    return found;
  }

  /** The top-level and free names whose values may hold the value of one of these. */
  holders(roots: ReadonlySet<Root>): string[] {
    const names = [...this.#bound.keys()].filter((name) => !isLocal(name));
    return names.filter((name) => {
      const { aliases, contains } = this.bound(name);
      for (const held of this.#reached([...aliases, ...contains])) if (roots.has(held)) return true;
      return false;
    });
  }

  /** By top-level and free names. */
  facts(): { latent: Map<string, Latent>; stored: Map<string, Latent> } {
    const latent = new Map<string, Latent>();
    for (const [name, bound] of this.#bound) if (!isLocal(name)) this.#add(latent, name, bound);
    this.#share(latent);
    const stored = new Map<string, Latent>();
    for (const [root, holding] of this.#stored)
      for (const name of this.#names(this.#changing(root, this.#deep.has(root) ? 2 : 1)))
        this.#add(stored, name, holding);
    return { latent, stored };
  }

  #add(to: Map<string, Latent>, name: string, holding: Holding): void {
    const known = to.get(name);
    const aliases = new Set([...(known?.aliases ?? []), ...this.#names(holding.aliases)]);
    const contains = new Set([...(known?.contains ?? []), ...this.#names(holding.contains)]);
    const reads = new Set(known?.reads);
    const writes = new Map(known?.writes);
    const locals = [...this.#reached([...holding.aliases, ...holding.contains])].filter(isLocal);
    const parts = locals.flatMap((root) => [this.#bound.get(root), this.#stored.get(root)]);
    for (const part of [holding, ...parts]) {
      for (const read of part?.reads ?? []) reads.add(read);
      for (const [written, depth] of this.written(part?.writes ?? new Map())) changed(writes, written, depth);
    }
    aliases.delete(name);
    contains.delete(name);
    if (reads.size + writes.size + aliases.size + contains.size)
      to.set(name, { reads, writes, aliases, contains });
  }

  /** Names that hold the same local value share it, though none holds the other. */
  #share(latent: Map<string, Latent>): void {
    const holders = new Map<Root, string>();
    for (const [name, { aliases, contains }] of [...this.#bound]) {
      if (isLocal(name)) continue;
      for (const local of this.#reached([...aliases, ...contains])) {
        if (!isLocal(local)) continue;
        const first = holders.get(local);
        if (first === undefined) holders.set(local, name);
        else if (first !== name) {
          this.#add(latent, first, { ...nothing(first), aliases: new Set([name]) });
          this.#add(latent, name, { ...nothing(name), aliases: new Set([first]) });
        }
      }
    }
  }

  /** A value made here has members of its own: to change one changes nothing that the value contains. */
  #changing(root: Root, depth: Depth): Iterable<Root> {
    return depth === 2 || !isLocal(root) ? [root] : this.bound(root).aliases;
  }

  #names(roots: Iterable<Root>): string[] {
    return [...this.#reached(roots)].filter((root) => !isLocal(root));
  }

  /** These and what the local ones among them hold. */
  #reached(roots: Iterable<Root>): Set<Root> {
    const seen = new Set<Root>();
    const waiting = [...roots];
    for (let root = waiting.pop(); root !== undefined; root = waiting.pop()) {
      if (seen.has(root)) continue;
      seen.add(root);
      if (!isLocal(root)) continue;
      for (const holding of [this.#bound.get(root), this.#stored.get(root)])
        if (holding) waiting.push(...holding.aliases, ...holding.contains);
    }
    return seen;
  }
}

function entry(map: Map<Root, Holding>, root: Root): Holding {
  let known = map.get(root);
  if (!known) {
    known = nothing(root);
    map.set(root, known);
  }
  return known;
}

function nothing(root: Root): Holding {
  return { root, reads: new Set(), writes: new Map(), aliases: new Set(), contains: new Set() };
}
