// Reasons in words, for a tooltip and for the cell that could not run: which name and which cell.
// Relies on the counts that front ends show beside cells. Pure.

import type { Node } from "./graph.ts";
import type { Reason, RunRecord, Status } from "./status.ts";

type Records = ReadonlyMap<string, RunRecord>;

/** How people point at a cell: `[3]`, or by what it says where it has not been run. */
export function cellName(node: Node, records: Records): string {
  const record = records.get(node.id);
  return record ? `[${record.count}]` : `the cell “${titleOf(node.source)}”, which has not been run`;
}

/** The first line of a cell that says something, cut short. */
export function titleOf(source: string, length = 40): string {
  const lines = source.split("\n").map((line) => line.trim());
  const line = lines.find((text) => text && !text.startsWith("//")) ?? lines.find(Boolean) ?? "";
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

/** Why a cell does not show what a run from the top would show. Empty for a cell that simply has not been run. */
export function whyOf(node: Node, status: Status, records: Records): string {
  const reason = status.reasons[node.index];
  const [early] = node.early;
  if (reason && early !== undefined) return `\`${early}\` is used here and defined only further down`;
  switch (reason?.kind) {
    case undefined:
    case "new":
      return "";
    case "failed":
      return "it failed";
    case "edited":
      return "it was edited since it ran";
    case "interrupted":
      return "it was interrupted";
    case "running":
      return "it is running";
    case "moved":
      return `it reads its own ${list(reason.names)}: run it again, or read the value in another cell, which then follows by itself`;
    case "changed":
      return `\`${reason.name}\` changed in ${cellName(reason.by, records)}`;
    case "meaning":
      return reason.by
        ? `\`${reason.name}\` now comes from ${cellName(reason.by, records)}`
        : `\`${reason.name}\` is no longer defined above`;
    case "waits":
      return waiting(reason, status, records);
  }
}

/** Whose fault it is: the first cell upward that does not itself wait for another. */
function waiting(reason: Extract<Reason, { kind: "waits" }>, status: Status, records: Records): string {
  let { on } = reason;
  let cause = status.reasons[on.index];
  while (cause?.kind === "waits") {
    on = cause.on;
    cause = status.reasons[on.index];
  }
  const direct = on === reason.on ? `\`${reason.name}\` comes from ` : "it rests on ";
  const name = cellName(on, records);
  switch (cause?.kind) {
    case "failed":
      return `${direct}${name}, which failed`;
    case "edited":
      return `${direct}${name}, which was edited since it ran`;
    case "interrupted":
      return `${direct}${name}, which was interrupted`;
    case "running":
      return `${direct}${name}, which is running`;
    case "new":
      return `${direct}${name}`;
    default:
      return `${direct}${name}, which is stale`;
  }
}

function list(names: Iterable<string>): string {
  return [...names].map((name) => `\`${name}\``).join(", ");
}
