// The interrupt flag: a few words shared by the main thread, the control thread and native kernels.
//   [0] not zero while an interrupt is pending: guards and kernels poll it
//   [1] the run whose code the main thread executes, 0 between runs
//   [2] the run that an interrupt was last asked for
//   [3] the last run that has ended
// and after these a word for each of the latest runs, which its guards poll: not zero when its code has to stop.
// Relies on Atomics being sequentially consistent: of two threads that each write a word and then read the other's, at
// least one sees the other's write. Runs are numbered upward from 1.

import { and, load, notify, or, store } from "./intrinsics.ts";

const PENDING = 0;
const RUNNING = 1;
const ASKED = 2;
const ENDED = 3;

/** Runs further apart than this share a word, and the later one has it. */
const WORDS = 4096;
const HEAD_BYTES = 16;
const STOP_PENDING = 1;
const STOP_CANCELLED = 2;

export type Flag = Int32Array<SharedArrayBuffer>;

export function createFlag(): Flag {
  return new Int32Array(new SharedArrayBuffer(HEAD_BYTES + 4 * WORDS), 0, 4);
}

/** Main thread: the word that the guards of a run poll, which has not begun. */
export function stopWord(flag: Flag, run: number): Int32Array {
  const word = new Int32Array(flag.buffer, HEAD_BYTES + 4 * (run % WORDS), 1);
  store(word, 0, 0);
  return word;
}

/** Main thread: what is left of a run must not go on. */
export function cancel(word: Int32Array): void {
  or(word, 0, STOP_CANCELLED);
}

/** Main thread: a task whose guards let everything pass, however much is to stop. */
export function quietly(flag: Flag, task: () => void): void {
  const words = wordsOf(flag);
  const before = words.slice();
  words.fill(0);
  try {
    task();
  } finally {
    for (let i = 0; i < WORDS; i++) or(words, i, before[i]!);
  }
}

function wordsOf(flag: Flag): Int32Array {
  return new Int32Array(flag.buffer, HEAD_BYTES, WORDS);
}

function setPending(flag: Flag, on: boolean): void {
  const words = wordsOf(flag);
  store(flag, PENDING, on ? 1 : 0);
  for (let i = 0; i < WORDS; i++)
    if (on) or(words, i, STOP_PENDING);
    else and(words, i, ~STOP_PENDING);
}

/**
 * Control thread: an interrupt for a run. It may not have begun, because something in the background holds the main
 * thread: the flag stops that too. False when the run is over already.
 */
export function askInterrupt(flag: Flag, run: number): boolean {
  if (run <= load(flag, ENDED)) return false;
  store(flag, ASKED, run);
  setPending(flag, true);
  notify(flag, PENDING);
  return true;
}

/** Control thread: an interrupt while no run is under way stops what runs in the background. False when one is. */
export function askBackground(flag: Flag): boolean {
  if (load(flag, RUNNING) !== 0) return false;
  setPending(flag, true);
  notify(flag, PENDING);
  return true;
}

/** Main thread: a run begins. True when its interrupt has come before it. */
export function beginRun(flag: Flag, run: number): boolean {
  store(flag, RUNNING, run);
  if (load(flag, ASKED) !== run && load(flag, PENDING)) setPending(flag, false);
  const asked = load(flag, ASKED) === run;
  if (asked) setPending(flag, true);
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
  if (load(flag, PENDING) && load(flag, ASKED) <= load(flag, ENDED)) setPending(flag, false);
}

export function isPending(flag: Flag): boolean {
  return flag[PENDING] !== 0;
}
