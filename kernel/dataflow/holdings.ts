// What the values under a cell's names hold on to: other names' values, and functions that use names when they are called.
// Local names are followed until only top-level and free ones are left. Pure bookkeeping for walk.ts.

import type { Latent } from "./facts.ts";

/** A name a value may stem from: a top-level or free one as it is, a local one with a mark before it. */
export type Root = string;

const LOCAL = "local ";

export function localRoot(name: string, scope: number): Root {
  return `${LOCAL}${scope} ${name}`;
}

export function isLocal(root: Root): boolean {
  return root.startsWith(LOCAL);
}

export interface Holding {
  /** Top-level and free names that its functions read. */
  readonly reads: Set<string>;
  readonly writes: Set<Root>;
  readonly aliases: Set<Root>;
}

export class Holdings {
  readonly #bound = new Map<Root, Holding>();
  readonly #stored = new Map<Root, Holding>();

  /** What a name is bound to. */
  bound(root: Root): Holding {
    return entry(this.#bound, root);
  }

  /** What is put into parts of the value under a name. */
  stored(root: Root): Holding {
    return entry(this.#stored, root);
  }

  /** The top-level and free names among these, and those that the local ones may stand for. */
  resolved(roots: Iterable<Root>): Set<string> {
    const names = new Set<string>();
    for (const root of this.#reached(roots)) if (!isLocal(root)) names.add(root);
    return names;
  }

  /** The top-level and free names whose values may hold the value of one of these. */
  holders(roots: ReadonlySet<Root>): string[] {
    const names = [...this.#bound.keys()].filter((name) => !isLocal(name));
    return names.filter((name) => {
      for (const held of this.#reached(this.#bound.get(name)!.aliases)) if (roots.has(held)) return true;
      return false;
    });
  }

  /** By top-level and free names. */
  facts(): { latent: Map<string, Latent>; stored: Map<string, Latent> } {
    const latent = new Map<string, Latent>();
    for (const name of this.#bound.keys()) if (!isLocal(name)) this.#add(latent, name, this.#gathered(name));
    this.#share(latent);
    const stored = new Map<string, Latent>();
    for (const [root, { reads, writes, aliases }] of this.#stored) {
      const found = { reads: new Set(reads), writes: new Set(writes), aliases: new Set(aliases) };
      for (const other of this.#reached(aliases)) if (isLocal(other)) this.#merge(found, other);
      for (const name of this.resolved([root])) this.#add(stored, name, found);
    }
    return { latent, stored };
  }

  /** Of a top-level name, with what it holds through local ones. */
  #gathered(name: string): Holding {
    const found: Holding = { reads: new Set(), writes: new Set(), aliases: new Set() };
    const bound = this.#bound.get(name);
    if (!bound) return found;
    for (const read of bound.reads) found.reads.add(read);
    for (const written of bound.writes) found.writes.add(written);
    for (const other of bound.aliases) found.aliases.add(other);
    for (const other of this.#reached(bound.aliases)) if (isLocal(other)) this.#merge(found, other);
    return found;
  }

  #merge(into: Holding, local: Root): void {
    for (const from of [this.#bound.get(local), this.#stored.get(local)]) {
      if (!from) continue;
      for (const read of from.reads) into.reads.add(read);
      for (const written of from.writes) into.writes.add(written);
      for (const other of from.aliases) into.aliases.add(other);
    }
  }

  #add(to: Map<string, Latent>, name: string, { reads, writes, aliases }: Holding): void {
    const known = to.get(name);
    const found = {
      reads: new Set([...(known?.reads ?? []), ...reads]),
      writes: new Set([...(known?.writes ?? []), ...this.resolved(writes)]),
      aliases: new Set([...(known?.aliases ?? []), ...this.resolved(aliases)]),
    };
    found.aliases.delete(name);
    if (found.reads.size + found.writes.size + found.aliases.size) to.set(name, found);
  }

  /** Names that hold the same local value share it, though none holds the other. */
  #share(latent: Map<string, Latent>): void {
    const holders = new Map<Root, string>();
    for (const [name, { aliases }] of this.#bound) {
      if (isLocal(name)) continue;
      for (const local of this.#reached(aliases)) {
        if (!isLocal(local)) continue;
        const first = holders.get(local);
        if (first === undefined) holders.set(local, name);
        else if (first !== name) {
          this.#add(latent, first, { reads: new Set(), writes: new Set(), aliases: new Set([name]) });
          this.#add(latent, name, { reads: new Set(), writes: new Set(), aliases: new Set([first]) });
        }
      }
    }
  }

  /** These and what the local ones among them hold. */
  #reached(roots: Iterable<Root>): Set<Root> {
    const seen = new Set<Root>();
    const waiting = [...roots];
    for (let root = waiting.pop(); root !== undefined; root = waiting.pop()) {
      if (seen.has(root)) continue;
      seen.add(root);
      if (!isLocal(root)) continue;
      waiting.push(...(this.#bound.get(root)?.aliases ?? []), ...(this.#stored.get(root)?.aliases ?? []));
    }
    return seen;
  }
}

function entry(map: Map<Root, Holding>, root: Root): Holding {
  let known = map.get(root);
  if (!known) {
    known = { reads: new Set(), writes: new Set(), aliases: new Set() };
    map.set(root, known);
  }
  return known;
}
