// The child's process group: the child itself and what its cells have started. Relies on the child leading the group
// (spawned detached), and on /proc for telling its members apart. Never signals what an earlier cell has started when
// it can tell: a server that one cell runs outlives the interrupt of another.

import { readdirSync, readFileSync } from "node:fs";

/** A time by the clock that says when processes were started, in ticks; undefined where the system has none to read. */
export type Moment = number | undefined;

/** Ticks a second of /proc's clock: fixed at 100 in Linux's interface to programs. */
const TICKS = 100;

/** Signals everyone in the group, the child included. */
export function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader !== undefined) send(-leader, signal);
}

/** Signals what was started between two moments, never the child. False where the system cannot say what that is. */
export function signalStarted(
  leader: number | undefined,
  [from, to]: readonly [Moment, Moment],
  signal: NodeJS.Signals,
): boolean {
  if (from === undefined || to === undefined) return false;
  for (const id of processIds()) {
    const state = id === leader ? undefined : stateOf(id);
    if (state?.group === leader && state!.started >= from && state!.started <= to) send(id, signal);
  }
  return true;
}

export function moment(): Moment {
  try {
    return Math.floor(Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * TICKS);
  } catch {
    return undefined;
  }
}

function processIds(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function stateOf(id: number): { group: number; started: number } | undefined {
  try {
    // The name stands in brackets and may hold anything: fields are counted after it.
    const [, , group, ...more] = readFileSync(`/proc/${id}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return { group: Number(group), started: Number(more[16]) };
  } catch {
    return undefined;
  }
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch {
    // Gone already.
  }
}
