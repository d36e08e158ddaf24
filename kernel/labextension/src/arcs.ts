// How the dataflow graph is drawn: cells in a column, each dependence an arc in the gutter at their left, wider the further
// it reaches. Pure geometry; dependences always run downwards, so an arc needs no arrow head.

import type { Edge } from "./messages.ts";

export const ROW = 26;
/** The gutter's side of the cells, and the most that an arc reaches into it. */
const MARGIN = 8;
const WIDEST = 58;
const NEAREST = 9;

const reachOf = (from: number, to: number) =>
  Math.min(WIDEST, NEAREST + 9 * Math.log2(Math.max(1, Math.abs(to - from))));

/** How wide a gutter these arcs need; arcs are pairs of rows. */
export const gutterFor = (arcs: readonly (readonly [number, number])[]): number =>
  arcs.reduce((widest, [from, to]) => Math.max(widest, reachOf(from, to)), 0) + MARGIN;

/** An arc between the middles of two rows, as an SVG path that starts and ends at the gutter's right edge. */
export function arc(from: number, to: number, gutter: number): string {
  const y = (row: number) => row * ROW + ROW / 2;
  // A cubic reaches three quarters of the way to its control points.
  const x = Math.round((gutter - reachOf(from, to) / 0.75) * 10) / 10;
  return `M${gutter} ${y(from)}C${x} ${y(from)} ${x} ${y(to)} ${gutter} ${y(to)}`;
}

export interface Relatives {
  readonly above: ReadonlySet<string>;
  readonly below: ReadonlySet<string>;
}

/** The cells that a cell rests on, and those that rest on it. */
export function relatives(edges: readonly Edge[], id: string): Relatives {
  const parents = new Map<string, string[]>();
  const children = new Map<string, string[]>();
  for (const { from, to } of edges) {
    append(parents, to, from);
    append(children, from, to);
  }
  return { above: reach(parents, id), below: reach(children, id) };
}

function append(lists: Map<string, string[]>, key: string, item: string): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}

function reach(next: ReadonlyMap<string, readonly string[]>, start: string): Set<string> {
  const reached = new Set<string>();
  const left = [...(next.get(start) ?? [])];
  for (let id = left.pop(); id !== undefined; id = left.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    left.push(...(next.get(id) ?? []));
  }
  return reached;
}
