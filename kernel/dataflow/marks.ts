// What a front end shows beside each cell, the notebook's graph as it is drawn, and what is planned. Plain records of the
// contract with the extension (messages.ts). Pure.

import type { Edge, GraphCell, Mark, Planned } from "../labextension/src/messages.ts";
import type { Dataflow } from "./dataflow.ts";
import type { Node } from "./graph.ts";
import { cellName, titleOf, whyOf } from "./why.ts";

/** @param plan Cells that are going to run. @param running The first of them, where one runs already. */
export function marksOf(
  flow: Dataflow,
  plan: readonly string[],
  running: string | undefined,
): Map<string, Mark> {
  const queued = new Set(plan);
  const { status, graph } = flow;
  const { records } = flow.view();
  const marks = new Map<string, Mark>();
  for (const node of graph.nodes) {
    const kind = status.reasons[node.index]?.kind;
    const seconds = flow.seconds(node.id);
    const state = stateOf(node, kind, queued, running);
    const why = state === "queued" || state === "running" ? "" : whyOf(node, status, records);
    marks.set(node.id, {
      state,
      frozen: node.facts.frozen,
      why,
      ...(seconds === undefined ? {} : { seconds }),
    });
  }
  return marks;
}

function stateOf(
  node: Node,
  kind: string | undefined,
  queued: ReadonlySet<string>,
  running: string | undefined,
): Mark["state"] {
  if (node.id === running) return "running";
  if (queued.has(node.id)) return "queued";
  if (kind === undefined) return "fresh";
  // A cell that cannot run where it stands is as good as failed, whatever it shows from before.
  if (kind === "failed" || node.early.length) return "error";
  return kind === "new" ? "new" : "stale";
}

export function planned(flow: Dataflow, cells: readonly string[]): Planned | null {
  if (cells.length === 0) return null;
  const times = cells.map((cell) => flow.seconds(cell));
  const known = times.every((seconds) => seconds !== undefined);
  return known ? { cells, seconds: times.reduce((sum: number, s) => sum + s!, 0) } : { cells };
}

export function drawn(flow: Dataflow): { cells: GraphCell[]; edges: Edge[] } {
  const cells: GraphCell[] = [];
  const edges: Edge[] = [];
  for (const { id, source, defines, parents } of flow.graph.nodes) {
    const count = flow.record(id)?.count;
    cells.push({
      id,
      title: titleOf(source),
      ...(count === undefined ? {} : { count }),
      defines: [...defines.keys()],
    });
    for (const [parent, names] of parents) edges.push({ from: parent.id, to: id, names: [...names] });
  }
  return { cells, edges };
}

/** What to say at a cell that was not run because one it rests on failed; undefined where none did. */
export function blame(flow: Dataflow, cell: string): string | undefined {
  const node = flow.graph.byId.get(cell);
  const { records } = flow.view();
  const { status } = flow;
  const seen = new Set<Node>();
  const waiting = node ? [node] : [];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    for (const [parent, names] of next.parents) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      const kind = status.reasons[parent.index]?.kind;
      if (kind === "failed" || kind === "interrupted") {
        const name = [...names].map((n) => `\`${n}\``).join(", ");
        const how = kind === "failed" ? "failed" : "was interrupted";
        const from = next === node ? `this cell uses its ${name}` : "this cell rests on it";
        return `Not run: ${cellName(parent, records)} ${how}, and ${from}.`;
      }
      waiting.push(parent);
    }
  }
  return undefined;
}
