// What an interrupt leaves of a cache: as long as it was before the call that failed, and usable. The kernel's part (who
// sets the flag, and when) is played here by the test: it is only the flag that native code polls.

import { afterAll, expect, it } from "vitest";
import type { Host } from "../../../lib/host.ts";
import { loadRandom } from "../model/temporary.ts";

const interruptFlag = new Int32Array(new SharedArrayBuffer(16));
const key = Symbol.for("lensor.host");
const here = globalThis as Record<symbol, unknown>;
here[key] = { display: () => "", update() {}, interruptFlag, onCellEnd() {} } satisfies Host;
afterAll(() => {
  interruptFlag[0] = 0;
  delete here[key];
});

async function interrupted<T>(work: () => Promise<T>): Promise<T> {
  interruptFlag[0] = 1;
  try {
    return await work();
  } finally {
    interruptFlag[0] = 0;
  }
}

it("two appends that fail together leave the tokens from before both", async () => {
  const model = await loadRandom();
  const cache = await model.prefill([1, 2, 3]);
  const both = await interrupted(() => Promise.allSettled([cache.append([4, 5]), cache.append([6, 7, 8])]));
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(cache.ids).toEqual([1, 2, 3]);
  await cache.append([9]);
  expect(cache.ids).toEqual([1, 2, 3, 9]);
});

it("a pass whose logits nobody could have is told to whoever comes next, with the way back", async () => {
  const model = await loadRandom();
  const cache = await model.prefill([1, 2, 3]);
  await interrupted(async () => {
    const { logits } = await model.forward([4, 5], { cache });
    await expect(logits.data()).rejects.toThrow(/interrupted/);
  });
  await expect(cache.append([9])).rejects.toThrow(/holds 3 tokens where 5.*rewind\(3\)/s);
  expect((await cache.rewind(3).append([9])).ids).toEqual([1, 2, 3, 9]);
});

it("generate ends with the interrupt in the middle of a text, and the model goes on", async () => {
  const model = await loadRandom({ context: 4096 });
  const running = model.generate([1], { maxTokens: 4000 });
  setTimeout(() => (interruptFlag[0] = 1), 20);
  await expect(running).rejects.toThrow(/generate: interrupted/);
  interruptFlag[0] = 0;
  expect((await model.generate([1], { maxTokens: 4 })).tokens.length).toBe(4);
});
