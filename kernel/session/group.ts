// The child's process group: the child itself and what its cells have started. Relies on the child leading the group
// (spawned detached), and on /proc for telling its members apart. Where it can tell, it never signals what an earlier
// cell has started: a server that one cell runs outlives the interrupt of another.

import { readdirSync, readFileSync } from "node:fs";

/** A time by the clock that says when processes were started, in ticks; undefined where the system has none to read. */
type Moment = number | undefined;

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

/** What one run has started and is still there: of what comes to be while it runs, nothing once it is over. */
export class Started {
  readonly #leader: number;
  readonly #from: Moment = moment();
  #kept: ReadonlyMap<number, number> | undefined;

  constructor(leader: number) {
    this.#leader = leader;
  }

  /** The run is over, and the next has not begun: what there is now is all there will be. */
  seal(): void {
    if (this.#from !== undefined) this.#kept = this.#find();
  }

  /** Tells each process once in the same words; everyone in the group where the system cannot tell them apart. */
  stop(graceMs: number): void {
    if (this.#from === undefined) {
      signalGroup(this.#leader, "SIGINT");
      return;
    }
    const told = new Set<string>();
    const tell = (signal: NodeJS.Signals): void => {
      for (const [id, started] of this.#find()) {
        const word = `${signal} ${id} ${started}`;
        if (!told.has(word)) send(id, signal);
        told.add(word);
      }
    };
    for (const [part, signal] of RUNGS)
      if (part === 0) tell(signal);
      else setTimeout(tell, part * graceMs, signal).unref();
  }

  /** Process ids, and when each was started. */
  #find(): Map<number, number> {
    const found = new Map<number, number>();
    for (const id of this.#kept?.keys() ?? processIds()) {
      const state = id === this.#leader ? undefined : stateOf(id);
      if (state?.group !== this.#leader || state.started < this.#from!) continue;
      if (this.#kept && this.#kept.get(id) !== state.started) continue;
      found.set(id, state.started);
    }
    return found;
  }
}

/** Signals everyone in the group, the child included. */
export function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader !== undefined) send(-leader, signal);
}

function moment(): Moment {
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
