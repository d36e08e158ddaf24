// Which names of a notebook have to do with values that are changed in place, by the texts of all its cells, wherever they
// stand. A bound from above that keeps the graph small: most names never change, and need not be followed. Pure.

import type { CellFacts, Depth, Latent } from "./facts.ts";

export interface Changing {
  /** Names whose values anything changes in place, and names that may stand for such a value. */
  readonly names: ReadonlySet<string>;
  /** Names from which such a value, or a function that changes one, may be reached. */
  readonly leading: ReadonlySet<string>;
}

type Links = ReadonlyMap<string, readonly Latent[]>;

/**
 * Undefined where nothing is changed in place: who shares what with whom is then of no account.
 * @param changed Names of values that have been changed, though no text may say so any more.
 */
export function changingIn(
  cells: readonly { readonly facts: CellFacts }[],
  changed: Iterable<string>,
): Changing | undefined {
  const links = new Map<string, Latent[]>();
  for (const { facts } of cells)
    for (const [name, latent] of facts.latent) {
      const known = links.get(name);
      if (known) known.push(latent);
      else links.set(name, [latent]);
    }
  const names = new Set(changed);
  /** Names that change with all that their values are part of and contain. */
  const whole: string[] = [];
  const write = (name: string, depth: Depth): void => {
    names.add(name);
    if (depth === 2) whole.push(name);
    else if (depth === 1) for (const { aliases } of links.get(name) ?? []) whole.push(...aliases);
  };
  for (const { facts } of cells) {
    for (const [name, depth] of facts.uses.writes) write(name, depth);
    for (const latent of [...facts.latent.values(), ...facts.stored.values()])
      for (const [name, depth] of latent.writes) write(name, depth);
    for (const { contains } of facts.stored.values()) whole.push(...contains);
  }
  for (const name of shared(whole, links)) names.add(name);
  return names.size ? { names, leading: leadingTo(names, cells, links) } : undefined;
}

/** These names and all whose values theirs may be, be part of or contain. */
function shared(from: Iterable<string>, links: Links): Set<string> {
  const found = new Set<string>();
  const waiting = [...from];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    for (const { aliases, contains } of links.get(name) ?? []) waiting.push(...aliases, ...contains);
  }
  return found;
}

function leadingTo(
  names: ReadonlySet<string>,
  cells: readonly { readonly facts: CellFacts }[],
  links: Links,
): Set<string> {
  const from = new Map<string, string[]>();
  const waiting = [...names];
  const link = (name: string, { aliases, contains, reads, writes }: Latent): void => {
    if (writes.size) waiting.push(name);
    for (const others of [aliases, contains, reads])
      for (const other of others) {
        const known = from.get(other);
        if (known) known.push(name);
        else from.set(other, [name]);
      }
  };
  for (const [name, all] of links) for (const latent of all) link(name, latent);
  // What is put into a value, everybody has who shares it.
  for (const { facts } of cells)
    for (const [name, latent] of facts.stored)
      for (const sharer of shared([name], links)) link(sharer, latent);
  const leading = new Set<string>();
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (leading.has(name)) continue;
    leading.add(name);
    waiting.push(...(from.get(name) ?? []));
  }
  return leading;
}
