// The child's process group: the child itself and what its cells have started. Relies on the child leading the group
// (spawned detached), and on /proc for telling its members apart. Where it can tell, it never signals what an earlier
// cell has started: a server that one cell runs outlives the interrupt of another.

import { readdirSync, readFileSync } from "node:fs";

/** A time by the clock that says when processes were started, in ticks; undefined where the system has none to read. */
export type Moment = number | undefined;

/** Ticks a second of /proc's clock: fixed at 100 in Linux's interface to programs. */
const TICKS = 100;

/**
 * The words in which what a cell has started is told to stop, and when, as parts of the time that the cell itself has.
 * The first is the signal of Ctrl-C, said again for what has only just been started.
 */
const RUNGS = [
  [0, "SIGINT"],
  [0.02, "SIGINT"],
  [0.05, "SIGINT"],
  [0.2, "SIGTERM"],
  [0.6, "SIGKILL"],
] as const;

export interface Span {
  readonly from: Moment;
  /** While the cell still runs, absent: it may start more. What follows a stopped cell starts nothing in the same tick. */
  readonly to?: Moment;
}

/** Signals everyone in the group, the child included. */
export function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader !== undefined) send(-leader, signal);
}

/** Stops what was started in a span that may still be growing, and what that has started in turn. */
export function stopStarted(leader: number | undefined, span: Span, graceMs: number): void {
  if (leader === undefined) return;
  if (span.from === undefined) {
    signalGroup(leader, "SIGINT");
    return;
  }
  const told = new Set<string>();
  const tell = (signal: NodeJS.Signals): void => {
    for (const id of startedIn(leader, span)) {
      const word = `${signal} ${id}`;
      if (!told.has(word)) send(id, signal);
      told.add(word);
    }
  };
  for (const [part, signal] of RUNGS)
    if (part === 0) tell(signal);
    else setTimeout(tell, part * graceMs, signal).unref();
}

function startedIn(leader: number, { from = 0, to = Number.POSITIVE_INFINITY }: Span): number[] {
  return processIds().filter((id) => {
    const state = id === leader ? undefined : stateOf(id);
    return state?.group === leader && state.started >= from && state.started <= to;
  });
}

export function moment(): Moment {
  try {
    return Math.round(Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * TICKS);
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
