// What an interrupt leaves of a run: the steps that were taken, whole. The kernel's part (who sets the flag, and when) is played
// here by the test: it is only the flag that native code polls.

import { afterAll, expect, it } from "vitest";
import type { Host } from "../../../lib/host.ts";
import { lora, type Tensor } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";

const interruptFlag = new Int32Array(new SharedArrayBuffer(16));
const shown: Record<string, unknown>[] = [];
const host: Host = {
  display: (bundle) => String(shown.push(bundle)),
  update: (_, bundle) => void shown.push(bundle),
  interruptFlag,
  onCellEnd() {},
};
const here = globalThis as Record<symbol, unknown>;
here[Symbol.for("lensor.host")] = host;
afterAll(() => delete here[Symbol.for("lensor.host")]);

const rows = Array.from({ length: 12 }, (_, i) =>
  Array.from({ length: 10 }, (_, t) => (7 * i + t * t) % 250),
);
const bits = async (all: readonly Tensor[]) =>
  Promise.all(all.map(async (x) => [...new Uint32Array((await x.data()).buffer as ArrayBuffer)]));
const titleOf = (bundle: Record<string, unknown>) => (bundle["text/plain"] as string).split("\n")[0]!;

it.each([40, 90, 140, 190, 240])("leaves the steps that were taken, whole, after %i ms", async (ms) => {
  const model = await loadRandom();
  const options = { adapter: lora({ rank: 2 }), lr: 0.01, batch: 2, seed: 1, saveEvery: 20 };
  const run = model.finetune(rows, { ...options, steps: 100_000 });
  setTimeout(() => (interruptFlag[0] = 1), ms);
  // The kernel lowers the flag when all has come to its end.
  run.signal.addEventListener("abort", () => setTimeout(() => (interruptFlag[0] = 0), 20));
  const { adapter } = await run;
  expect(run.state).toBe("stopped");
  const steps = run.history.numRows;
  const again = await model.finetune(rows, { ...options, steps });
  expect(await bits(adapter.parameters())).toEqual(await bits(again.adapter.parameters()));
});

it("shows itself where it was begun, then in place, and leaves the finding", async () => {
  shown.length = 0;
  const model = await loadRandom();
  const run = model.finetune(rows, { adapter: lora({ rank: 2 }), lr: 0.01, batch: 2, seed: 1, steps: 30 });
  expect(titleOf(shown[0]!)).toBe("30 steps are to come");
  const own = (run as unknown as Record<symbol, () => Promise<unknown>>)[Symbol.for("Jupyter.display")]!();
  expect(await own).toBeUndefined();
  expect(run.state).toBe("done");
  expect(titleOf(shown.at(-1)!)).toMatch(/^Loss fell from .* to [^;]*$/);
  expect(shown.length).toBeLessThan(20);
});
