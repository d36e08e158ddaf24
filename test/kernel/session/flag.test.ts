// The words that say who is to stop: an interrupt stops its own run, early or late, and no other.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  askInterrupt,
  beginRun,
  cancel,
  createFlag,
  dropStale,
  endRun,
  isPending,
  quietly,
  stopWord,
} from "../../../kernel/session/flag.ts";

test("an interrupt of the running run is pending until it ends", () => {
  const flag = createFlag();
  expect(beginRun(flag, 1)).toBe(false);
  expect(askInterrupt(flag, 1)).toBe(true);
  expect(isPending(flag)).toBe(true);
  endRun(flag, 1);
  expect(isPending(flag)).toBe(false);
  expect(beginRun(flag, 2)).toBe(false);
});

test("every run's word is raised with the flag and falls with it; a cancelled run's stays", () => {
  const flag = createFlag();
  const [one, two] = [stopWord(flag, 1), stopWord(flag, 2)];
  cancel(one);
  beginRun(flag, 2);
  expect([one[0] === 0, two[0] === 0]).toEqual([false, true]);
  askInterrupt(flag, 2);
  expect([one[0] === 0, two[0] === 0]).toEqual([false, false]);
  quietly(flag, () => expect([one[0], two[0]]).toEqual([0, 0]));
  expect([one[0] === 0, two[0] === 0]).toEqual([false, false]);
  endRun(flag, 2);
  expect([one[0] === 0, two[0] === 0]).toEqual([false, true]);
  // A later run that takes the word starts with it clear.
  expect(stopWord(flag, 1 + 4096)[0]).toBe(0);
});

test("one that comes before its run is kept for it", () => {
  const flag = createFlag();
  expect(askInterrupt(flag, 1)).toBe(true);
  expect(isPending(flag)).toBe(true);
  expect(beginRun(flag, 1)).toBe(true);
  expect(isPending(flag)).toBe(true);
});

test("one that comes after its run stops nothing", () => {
  const flag = createFlag();
  beginRun(flag, 1);
  endRun(flag, 1);
  expect(askInterrupt(flag, 1)).toBe(false);
  expect(isPending(flag)).toBe(false);
});

test("in any order of events, a run is stopped exactly when it was asked for before it ended", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("ask", "begin", "end", "drop"), fc.integer({ min: 1, max: 6 }))),
      (events) => {
        const flag = createFlag();
        let running = 0;
        let ended = 0;
        let asked = 0;
        for (const [what, run] of events) {
          if (what === "ask" && run <= ended + 1) {
            if (askInterrupt(flag, run)) asked = run;
          } else if (what === "begin" && !running) {
            running = ended + 1;
            expect(beginRun(flag, running)).toBe(asked === running);
          } else if (what === "end" && running) {
            endRun(flag, running);
            ended = running;
            running = 0;
          } else if (what === "drop" && !running) dropStale(flag);
          expect(isPending(flag)).toBe(asked > ended);
        }
      },
    ),
  );
});
