// Cells in document order -> who uses whose names. A name means its nearest definition above; what changes a value in
// place stands between that definition and the cells below. Pure; never looks at what has been run.

import { type Changing, changingIn } from "./changing.ts";
import type { CellFacts, Depth, Latent } from "./facts.ts";

export interface CellText {
  readonly id: string;
  readonly source: string;
  readonly facts: CellFacts;
}

/** What one cell holds under one name. */
export interface Resource {
  /** Tells it from any other, in this graph and the next. */
  readonly key: string;
  readonly name: string;
  readonly owner: Node;
  /** Values that this one's may be, or be part of. */
  aliases: ReadonlySet<Resource>;
  /** Values that may be part of this one. */
  contains: ReadonlySet<Resource>;
  /** What calling it may read and change. */
  reads: ReadonlySet<Resource>;
  writes: ReadonlyMap<Resource, Depth>;
}

/** A cell in its place. */
export interface Node extends CellText {
  readonly index: number;
  readonly defines: ReadonlyMap<string, Resource>;
  /** The meaning of each free name; names that no cell above defines are left out. */
  readonly names: ReadonlyMap<string, Resource>;
  /** Values that running the cell sees, in the state that the cells above have left them. */
  readonly sees: ReadonlySet<Resource>;
  /** Values that running the cell changes in place, all of them seen as well. */
  readonly changes: ReadonlySet<Resource>;
  /** The cells it rests on directly, and by which names: those that define what it uses, or were the last to change it. */
  readonly parents: ReadonlyMap<Node, ReadonlySet<string>>;
  /** Names that only cells further down define. */
  readonly early: readonly string[];
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly byId: ReadonlyMap<string, Node>;
}

export const resourceKey = (cell: string, name: string): string => `${name}\n${cell}`;

/** @param changed Names of values that have been changed in place, though no text may say so any more. */
export function buildGraph(cells: readonly CellText[], changed: Iterable<string> = []): Graph {
  const nodes: Placed[] = [];
  const above = new Map<string, Resource>();
  const lastChange = new Map<Resource, Node>();
  const changing = changingIn(cells, changed);
  for (const [index, cell] of cells.entries()) {
    const node = place(cell, index, above, lastChange, changing);
    nodes.push(node);
    for (const [name, resource] of node.defines) above.set(name, resource);
    for (const resource of node.changes) lastChange.set(resource, node);
  }
  markEarly(nodes);
  return { nodes, byId: new Map(nodes.map((node) => [node.id, node])) };
}

interface Placed extends Node {
  readonly early: string[];
}

function place(
  cell: CellText,
  index: number,
  above: ReadonlyMap<string, Resource>,
  lastChange: ReadonlyMap<Resource, Node>,
  changing: Changing | undefined,
): Placed {
  const { facts } = cell;
  const defines = new Map<string, Resource>();
  const names = new Map<string, Resource>();
  const sees = new Set<Resource>();
  const changes = new Set<Resource>();
  const parents = new Map<Node, Set<string>>();
  const node: Placed = { ...cell, index, defines, names, sees, changes, parents, early: [] };

  for (const name of facts.defines) defines.set(name, emptyResource(node, name));
  for (const name of facts.assigns) if (above.has(name)) defines.set(name, emptyResource(node, name));
  for (const name of facts.free) {
    const resource = above.get(name);
    if (resource) names.set(name, resource);
  }
  const meaning = (name: string): Resource | undefined => defines.get(name) ?? names.get(name);
  if (changing) attachLatent(facts, meaning, names);

  const see = (resource: Resource): void => {
    if (resource.owner !== node) sees.add(resource);
  };
  for (const name of facts.assigns) {
    const start = names.get(name);
    if (start) see(start);
  }
  const read: Resource[] = [];
  for (const name of facts.uses.reads) {
    const resource = meaning(name);
    if (!resource) continue;
    see(resource);
    if (changing?.leading.has(name)) read.push(resource);
  }
  if (changing && read.length) {
    const { touched, written } = reach(read, changing.leading);
    for (const other of touched) if (changing.names.has(other.name)) see(other);
    for (const other of written) if (other.owner !== node) changes.add(other);
  }
  for (const [name, depth] of facts.uses.writes) {
    const resource = meaning(name) ?? above.get(name);
    if (!resource) continue;
    for (const other of sharers(resource, depth)) if (other.owner !== node) changes.add(other);
  }
  for (const resource of changes) sees.add(resource);

  const rest = (parent: Node, name: string): void => {
    const known = parents.get(parent);
    if (known) known.add(name);
    else parents.set(parent, new Set([name]));
  };
  for (const resource of names.values()) rest(resource.owner, resource.name);
  for (const resource of sees) {
    rest(resource.owner, resource.name);
    const change = lastChange.get(resource);
    if (change) rest(change, resource.name);
  }
  return node;
}

/** Most values share nothing: they share these. */
const NONE: ReadonlySet<Resource> = new Set();
const NO_WRITES: ReadonlyMap<Resource, Depth> = new Map();

function emptyResource(owner: Node, name: string): Resource {
  const key = resourceKey(owner.id, name);
  return { key, name, owner, aliases: NONE, contains: NONE, reads: NONE, writes: NO_WRITES };
}

const KINDS = ["aliases", "contains", "reads"] as const;

/** Whether that was news. */
function add(resource: Resource, kind: "aliases" | "contains" | "reads", other: Resource): boolean {
  if (other === resource || resource[kind].has(other)) return false;
  if (resource[kind] === NONE) resource[kind] = new Set();
  (resource[kind] as Set<Resource>).add(other);
  return true;
}

function addWrite(resource: Resource, other: Resource, depth: Depth): boolean {
  if ((resource.writes.get(other) ?? -1) >= depth) return false;
  if (resource.writes === NO_WRITES) resource.writes = new Map();
  (resource.writes as Map<Resource, Depth>).set(other, depth);
  return true;
}

/** Names that the cell defines or changes come to do, from here on, what the cell's functions in them do. */
function attachLatent(
  facts: CellFacts,
  meaning: (name: string) => Resource | undefined,
  starts: ReadonlyMap<string, Resource>,
): void {
  const attach = (resource: Resource, latent: Latent): boolean => {
    let news = false;
    for (const kind of KINDS)
      for (const other of latent[kind]) {
        const meant = meaning(other);
        if (meant && add(resource, kind, meant)) news = true;
      }
    for (const [other, depth] of latent.writes) {
      const meant = meaning(other);
      if (meant && addWrite(resource, meant, depth)) news = true;
    }
    return news;
  };
  // A binding that starts with the value of another may be left at that.
  for (const name of facts.assigns) {
    const start = starts.get(name);
    const own = meaning(name);
    if (start && own) add(own, "aliases", start);
  }
  for (const [name, latent] of facts.latent) {
    const resource = meaning(name);
    if (resource) attach(resource, latent);
  }
  // What is put into a value, all have that share it; that may make others share more.
  for (let news = facts.stored.size > 0; news; ) {
    news = false;
    for (const [name, latent] of facts.stored) {
      const resource = meaning(name);
      if (!resource) continue;
      for (const sharer of sharers(resource, 2)) news = attach(sharer, latent) || news;
    }
  }
}

/** What touching some values may read and change: their own parts, what their functions use, and so on. */
function reach(
  from: readonly Resource[],
  leading: ReadonlySet<string>,
): { touched: Set<Resource>; written: Set<Resource> } {
  const touched = new Set<Resource>();
  const written = new Set<Resource>();
  const waiting = [...from];
  for (let resource = waiting.pop(); resource; resource = waiting.pop()) {
    if (touched.has(resource) || !leading.has(resource.name)) continue;
    touched.add(resource);
    waiting.push(...resource.aliases, ...resource.contains, ...resource.reads);
    for (const [target, depth] of resource.writes)
      for (const other of sharers(target, depth)) written.add(other);
  }
  return { touched, written };
}

/** A value and the others that change with it: not the functions that handed it out, but what they hand out. */
function sharers(from: Resource, depth: Depth): Set<Resource> {
  const isMaker = ({ owner, name }: Resource) => owner.facts.makers.has(name);
  const found = new Set<Resource>(depth === 2 && isMaker(from) ? [] : [from]);
  const seen = new Set<Resource>([from]);
  const waiting = depth === 0 ? [] : [...from.aliases];
  if (depth === 2) waiting.push(...from.contains);
  for (let resource = waiting.pop(); resource; resource = waiting.pop()) {
    if (seen.has(resource)) continue;
    seen.add(resource);
    if (!isMaker(resource)) found.add(resource);
    waiting.push(...resource.aliases, ...resource.contains);
  }
  return found;
}

function markEarly(nodes: readonly Placed[]): void {
  const below = new Set<string>();
  for (const node of nodes.toReversed()) {
    // What JavaScript itself defines may be meant: a cell may use `fetch` though one further down makes its own.
    for (const name of node.facts.free)
      if (below.has(name) && !node.names.has(name) && !(name in globalThis)) node.early.push(name);
    for (const name of node.facts.defines) below.add(name);
  }
}
