// The interrupt flag: a few words shared by the main thread, the control thread and native kernels.
//   [0] not zero while an interrupt is pending: guards and kernels poll it
//   [1] the run whose code the main thread executes, 0 between runs
//   [2] the run that an interrupt was last asked for
//   [3] the last run that has ended
// Relies on Atomics being sequentially consistent: of two threads that each write a word and then read the other's, at
// least one sees the other's write. Runs are numbered upward from 1.

import { load, notify, store } from "./intrinsics.ts";

const PENDING = 0;
const RUNNING = 1;
const ASKED = 2;
const ENDED = 3;

export type Flag = Int32Array<SharedArrayBuffer>;

export function createFlag(): Flag {
  return new Int32Array(new SharedArrayBuffer(16));
}

/**
 * Control thread: an interrupt for a run. It may not have begun, because something in the background holds the main
 * thread: the flag stops that too. False when the run is over already.
 */
export function askInterrupt(flag: Flag, run: number): boolean {
  if (run <= load(flag, ENDED)) return false;
  store(flag, ASKED, run);
  store(flag, PENDING, 1);
  notify(flag, PENDING);
  return true;
}

/** Main thread: a run begins. True when its interrupt has come before it. */
export function beginRun(flag: Flag, run: number): boolean {
  store(flag, RUNNING, run);
  if (load(flag, ASKED) !== run) store(flag, PENDING, 0);
  const asked = load(flag, ASKED) === run;
  if (asked) store(flag, PENDING, 1);
  return asked;
}

/** Main thread: a run has ended, however it did. */
export function endRun(flag: Flag, run: number): void {
  store(flag, ENDED, run);
  store(flag, RUNNING, 0);
  dropStale(flag);
}

/** Main thread, between runs: an interrupt that came too late stops nothing. */
export function dropStale(flag: Flag): void {
  if (load(flag, ASKED) <= load(flag, ENDED)) store(flag, PENDING, 0);
}

export function isPending(flag: Flag): boolean {
  return flag[PENDING] !== 0;
}
