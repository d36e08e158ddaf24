// Progress as a cell shows it: nothing for short work, a bar with an estimate for long work, one last line at its end.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { MimeBundle } from "../../lib/plot/figure.ts";
import { quietly, showProgress } from "../../lib/progress.ts";

const host = Symbol.for("lensor.host");
let shown: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  shown = [];
  const note = (bundle: MimeBundle) => shown.push(String(bundle["text/plain"]));
  (globalThis as Record<symbol, unknown>)[host] = {
    display: (bundle: MimeBundle) => {
      note(bundle);
      return "id";
    },
    update: (_: string, bundle: MimeBundle) => note(bundle),
  };
});
afterEach(() => {
  vi.useRealTimers();
  delete (globalThis as Record<symbol, unknown>)[host];
});

const amount = (done: number, total: number) => `${done} of ${total}`;

test("short work shows nothing at all", () => {
  const progress = showProgress("Reading", 100, { amount, afterMs: 1500 });
  vi.advanceTimersByTime(1000);
  progress.update(50);
  progress.end("Read");
  expect(shown).toEqual([]);
});

test("long work shows how far it is and how long it still takes, and ends with what happened", () => {
  const progress = showProgress("Reading", 100, { amount, afterMs: 1500 });
  vi.advanceTimersByTime(3000);
  progress.update(25);
  // Five times a second at most.
  vi.advanceTimersByTime(100);
  progress.update(26);
  progress.end("Read");
  progress.update(100);
  expect(shown).toEqual(["Reading: 25 of 100 (25 %, about 9.0 s left)", "Read"]);
});

test("work within work shows nothing of its own, and after it progress is shown again", async () => {
  const run = () => {
    const progress = showProgress("Reading", 100, { amount });
    vi.advanceTimersByTime(3000);
    progress.update(25);
    progress.end("Read");
  };
  await quietly(async () => run());
  await expect(quietly(async () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(shown).toEqual([]);
  run();
  expect(shown.at(-1)).toBe("Read");
});
