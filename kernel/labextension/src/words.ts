// How the extension says things: durations, counts, sizes and states, as people say them.
// Pure texts; nothing here knows of the page.

import type { Mark, Planned, State } from "./messages.ts";

/** 0.2 s, 1.2 s, 12 s, 3 min, 2 h. */
export function duration(seconds: number): string {
  if (seconds < 0.095) return "under 0.1 s";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  if (seconds < 99.5 * 60) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** What is done before one notices needs no estimate. */
const about = (seconds: number | undefined, after = ",") =>
  seconds === undefined || seconds < 0.095 ? "" : `${after} about ${duration(seconds)}`;

/** "Running 3, about 12 s": the cell that runs and those that follow it. */
export const planText = (plan: Planned): string => `Running ${plan.cells.length}${about(plan.seconds)}`;

/** "3 stale, about 12 s"; without the time where one of them has never been timed. */
export function staleText(marks: readonly Mark[]): string {
  const known = marks.every(({ seconds }) => seconds !== undefined);
  const total = marks.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0);
  return `${marks.length} stale${known ? about(total) : ""}`;
}

/** 12 B, 1.23 kB, 45.6 MB: three figures. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

export const stateWords: Readonly<Record<State, string>> = {
  new: "Not run in this session",
  fresh: "Up to date",
  stale: "Stale",
  queued: "Queued",
  running: "Running",
  error: "Error",
};

/** A mark in words, for its tooltip and for those who hear the page: of a stale cell also what running it takes. */
export function markText(mark: Mark): string {
  const why = mark.why ? `${stateWords[mark.state]}: ${mark.why}` : stateWords[mark.state];
  const state = mark.state === "stale" ? why + about(mark.seconds, ";") : why;
  return mark.frozen ? `${state}. Frozen: runs only when you run it` : state;
}
