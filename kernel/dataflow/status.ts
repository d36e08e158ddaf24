// Which cells show what a run from the top would show, and why the others do not. One pass down the notebook: a cell is
// fresh when it ran as it is written, on values in the state that the cells above, all fresh, would have left them.
// Pure; relies on the graph and on the records of past runs.

import { heldBy } from "./facts.ts";
import type { Graph, Node, Resource } from "./graph.ts";
import { follow, type History, made, UNKNOWN } from "./history.ts";

export type Outcome = "ok" | "error" | "interrupted";

/** What is known of a cell's last run. */
export interface RunRecord {
  readonly run: number;
  readonly source: string;
  /** The count its front end shows, `[3]`. */
  readonly count: number;
  /** By free name: the key of what it meant. */
  readonly names: ReadonlyMap<string, string>;
  /** By key: the state in which the run found each value. */
  readonly states: ReadonlyMap<string, number>;
  readonly outcome: Outcome | "running";
}

/** Why a cell does not show what a run from the top would show. */
export type Reason =
  | { readonly kind: "new" | "edited" | "interrupted" | "running" }
  /** It failed, on the very values it would find again. */
  | { readonly kind: "failed" }
  /** It reads inputs of its own that have been moved since: under these names are inputs, whose values are right all the same. */
  | { readonly kind: "moved"; readonly names: ReadonlySet<string> }
  /** A cell that it rests on is not fresh. */
  | { readonly kind: "waits"; readonly on: Node; readonly name: string }
  /** The value is in another state than the run found it in: made anew, moved, or changed in place. */
  | { readonly kind: "changed"; readonly name: string; readonly by: Node }
  /** The name means another cell's value now, or none. */
  | { readonly kind: "meaning"; readonly name: string; readonly by: Node | undefined };

export interface Status {
  /** By place in the notebook; undefined for a fresh cell. */
  readonly reasons: readonly (Reason | undefined)[];
  /** By place: the state in which a run from the top would find each value the cell sees. */
  readonly expected: readonly ReadonlyMap<Resource, number>[];
}

/** Front ends run nothing for such a cell. */
export const isBlank = (source: string): boolean => source.trim() === "";

export function statusOf(graph: Graph, records: ReadonlyMap<string, RunRecord>, history: History): Status {
  const reasons: (Reason | undefined)[] = [];
  const expected: Map<Resource, number>[] = [];
  /** As the cells so far would have left the values, were they run now from the top. */
  const states = new Map<Resource, number>();
  const stateOf = (resource: Resource): number => states.get(resource) ?? history.origin(resource.key);
  for (const node of graph.nodes) {
    const found = new Map<Resource, number>();
    for (const resource of node.sees) found.set(resource, stateOf(resource));
    expected.push(found);
    const record = records.get(node.id);
    reasons.push(reasonFor(node, record, found, reasons, history));
    for (const resource of node.changes)
      if (!history.keeps(resource.key))
        states.set(resource, record ? follow(stateOf(resource), record.run) : UNKNOWN);
  }
  return { reasons, expected };
}

function reasonFor(
  node: Node,
  record: RunRecord | undefined,
  expected: ReadonlyMap<Resource, number>,
  reasons: readonly (Reason | undefined)[],
  history: History,
): Reason | undefined {
  if (!record) return isBlank(node.source) ? undefined : { kind: "new" };
  if (record.source !== node.source) return { kind: "edited" };
  if (record.outcome === "interrupted" || record.outcome === "running") return { kind: record.outcome };
  for (const name of node.facts.free)
    if (record.names.get(name) !== node.names.get(name)?.key)
      return { kind: "meaning", name, by: node.names.get(name)?.owner };
  for (const [parent, names] of node.parents)
    if (holdsBack(reasons[parent.index], names)) return { kind: "waits", on: parent, name: first(names) };
  for (const [resource, state] of expected) {
    // What the run reached through others without anything having changed it, is as those others hold it.
    const seen = record.states.get(resource.key) ?? history.origin(resource.key);
    if (seen !== state) return { kind: "changed", name: resource.name, by: lastChanger(node, resource) };
  }
  // What only its functions use, they hold as the run found it: that value must still be there.
  for (const resource of node.names.values())
    if (!expected.has(resource) && record.states.get(resource.key) !== history.origin(resource.key))
      return { kind: "changed", name: resource.name, by: resource.owner };
  if (hasMoved(node, record, history)) return { kind: "moved", names: inputsIn(node, history) };
  return record.outcome === "error" ? { kind: "failed" } : undefined;
}

/** Whether a value of its own that the cell reads itself has moved since. */
function hasMoved({ facts, defines }: Node, { run }: RunRecord, history: History): boolean {
  for (const name of facts.consumes) {
    const own = defines.get(name);
    if (own && history.origin(own.key) !== made(run, 0)) return true;
  }
  return false;
}

/** The names of a cell that are inputs and hold no other, so that nothing in them was made with an input's value. */
function inputsIn(node: Node, history: History): Set<string> {
  const inputs = [...node.defines.values()].filter(({ key }) => history.isInput(key)).map(({ name }) => name);
  return new Set(
    inputs.filter((name) => {
      const held = heldBy(name, node.facts);
      return !inputs.some((other) => held.has(other));
    }),
  );
}

/** Whether a cell in such a state keeps others waiting that use these names of it. */
export function holdsBack(reason: Reason | undefined, names: ReadonlySet<string>): boolean {
  if (reason?.kind !== "moved") return reason !== undefined;
  return [...names].some((name) => !reason.names.has(name));
}

const first = (names: ReadonlySet<string>): string => [...names][0]!;

/** The cell that was the last to make or change a value, of those above a cell. */
function lastChanger(node: Node, resource: Resource): Node {
  const changers = [...node.parents.keys()].filter((p) => p.changes.has(resource));
  return changers.at(-1) ?? resource.owner;
}
