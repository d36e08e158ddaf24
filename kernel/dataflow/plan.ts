// Which cells to run, in document order. What is asked for pulls in the stale cells it rests on, and where a value has been
// changed in place by cells that should come later, the cell that made it. Pure: plans, never runs.

import type { Graph, Node, Resource } from "./graph.ts";
import type { History } from "./history.ts";
import { holdsBack, type Reason, type RunRecord, type Status } from "./status.ts";

export interface View {
  readonly graph: Graph;
  readonly status: Status;
  readonly records: ReadonlyMap<string, RunRecord>;
  readonly history: History;
  /** What running each cell took last time. */
  readonly seconds: ReadonlyMap<string, number>;
  /** Cells that are going to run as they are written, before anything that is planned now. */
  readonly pending: ReadonlySet<string>;
}

/** How long running some cells takes, from their last runs. A cell that was never timed counts as nothing. */
export function secondsOf(cells: Iterable<Node>, seconds: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const { id } of cells) sum += seconds.get(id) ?? 0;
  return sum;
}

/**
 * The cells that must run so that the asked ones show what a run from the top would show.
 * @param resetBudget Seconds that making values anew may cost; beyond, changed values are used as they are, and the cells
 *   that use them stay stale.
 */
export function planFor(asked: ReadonlySet<Node>, view: View, resetBudget: number): Node[] {
  const plain = required(asked, view, false);
  // Where nothing was changed in place, no value has to be made anew.
  if (isEmpty(view.history.changedNames())) return inOrder(plain);
  const whole = required(plain, view, true);
  if (whole.size === plain.size) return inOrder(plain);
  const more = [...whole].filter((node) => !plain.has(node));
  return inOrder(secondsOf(more, view.seconds) <= resetBudget ? whole : plain);
}

function isEmpty(names: Iterable<string>): boolean {
  for (const _ of names) return false;
  return true;
}

export function inOrder(nodes: Iterable<Node>): Node[] {
  return [...nodes].sort((a, b) => a.index - b.index);
}

function required(asked: ReadonlySet<Node>, view: View, resets: boolean): Set<Node> {
  const { nodes } = view.graph;
  const must = new Set(asked);
  for (let before = -1; before !== must.size; ) {
    before = must.size;
    const dirty = unsettled(must, view, resets);
    for (let i = nodes.length - 1; i >= 0; i--) {
      const node = nodes[i]!;
      if (!must.has(node)) continue;
      for (const [parent, names] of node.parents)
        if (dirty.has(parent, names) && !parent.facts.frozen && (resets || !countsTwice(parent, must, view)))
          must.add(parent);
    }
  }
  return must;
}

/** A cell that would change values which it, or one further down, has changed already, and which are not made anew. */
function countsTwice(node: Node, must: ReadonlySet<Node>, { status, history }: View): boolean {
  const expected = status.expected[node.index]!;
  return [...node.changes].some((resource) => {
    const state = expected.get(resource)!;
    const isKnown = !Number.isNaN(state);
    return isKnown && !must.has(resource.owner) && history.state(resource.key) !== state;
  });
}

/** Walks down: what is not fresh, or will not be once these cells have run. Adds to them the makers of spoilt values. */
function unsettled(must: Set<Node>, view: View, resets: boolean): Dirty {
  const { graph, status, history, pending } = view;
  const dirty = new Dirty();
  /** Values that a cell on the way down makes or changes before the cells below it run. */
  const renewed = new Set<Resource>();
  for (const node of graph.nodes) {
    const waiting = pending.has(node.id);
    if (must.has(node)) {
      for (const [resource, state] of status.expected[node.index]!) {
        const spoilt = !renewed.has(resource) && history.state(resource.key) !== state;
        if (resets && spoilt && !resource.owner.facts.frozen) must.add(resource.owner);
      }
    }
    if (must.has(node) || waiting)
      for (const resource of [...node.defines.values(), ...node.changes]) renewed.add(resource);
    const reason = waiting ? undefined : status.reasons[node.index];
    const affected = must.has(node) || [...node.parents].some(([parent, names]) => dirty.has(parent, names));
    if (affected || reason) dirty.add(node, affected ? undefined : reason);
  }
  return dirty;
}

/** Cells whose names cannot be relied on, but for inputs that have only been moved. */
class Dirty {
  readonly #why = new Map<Node, Reason | undefined>();

  add(node: Node, reason: Reason | undefined): void {
    this.#why.set(node, reason);
  }

  has(node: Node, names: ReadonlySet<string>): boolean {
    const reason = this.#why.get(node);
    return reason ? holdsBack(reason, names) : this.#why.has(node);
  }
}

/**
 * The cells that follow when others have run or an input has moved: they rest on those, have been run as they are written,
 * and do not show what a run from the top would show. A cell that waits for one that a person has to run does not follow.
 */
export function dependents(changed: ReadonlySet<Node>, view: View): Node[] {
  const { status, records } = view;
  const runOf = (node: Node): number => records.get(node.id)?.run ?? 0;
  return below(changed, view, (node, following) => {
    const reason = status.reasons[node.index];
    // An input that is moved in the cell that reads it would lose the hand that moves it, were the cell run again.
    if (!reason || reason.kind === "failed" || reason.kind === "moved") return false;
    for (const [parent, names] of node.parents)
      if (holdsBack(status.reasons[parent.index], names) && !following.has(parent)) return false;
    // A cell that has run itself follows another only if that one has run since.
    if (!changed.has(node)) return true;
    const parents = [...node.parents.keys()];
    return parents.some((p) => following.has(p) || (changed.has(p) && runOf(p) > runOf(node)));
  });
}

/** The cells that will follow once these have run, as far as can be told before. */
export function predicted(planned: ReadonlySet<Node>, view: View): Node[] {
  const comes = (parent: Node, following: ReadonlySet<Node>): boolean =>
    planned.has(parent) || following.has(parent) || view.pending.has(parent.id);
  return below(planned, view, (node, following) => {
    if (planned.has(node)) return false;
    for (const [parent, names] of node.parents)
      if (holdsBack(view.status.reasons[parent.index], names) && !comes(parent, following)) return false;
    return true;
  });
}

/** Walks down from some cells, and picks those below them that a test admits. */
function below(
  from: ReadonlySet<Node>,
  { graph, records }: View,
  admits: (node: Node, following: ReadonlySet<Node>) => boolean,
): Node[] {
  const reached = new Set<Node>(from);
  const following = new Set<Node>();
  for (const node of graph.nodes) {
    if (![...node.parents.keys()].some((parent) => reached.has(parent))) continue;
    reached.add(node);
    const ran = records.get(node.id)?.source === node.source;
    if (ran && !node.facts.frozen && admits(node, following)) following.add(node);
  }
  return [...following];
}
