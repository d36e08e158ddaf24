// A run in a notebook: its cell waits for it, and interrupting that cell, or one that awaits the run, ends it with what it
// learnt so far.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Harness } from "./harness.ts";

let session: Harness;
beforeAll(async () => {
  session = new Harness({ graceMs: 5000 });
  const { failure } = await session.run(`
    import { Model } from "lensor";
    const model = await Model.fromConfig({ layers: 2, width: 32, heads: 2, context: 64, seed: 1 });
    const texts = ["abcabcabcabcabc", "hello hello hello"];`);
  expect(failure).toBeUndefined();
}, 60_000);
afterAll(() => session.close());

const sum = "Number(await (await model.copy()).parameters()[0].sum().item())";

test("the cell that begins it waits for it", { timeout: 60_000 }, async () => {
  const { failure } = await session.run("const short = model.train(texts, { steps: 8, seed: 1 })");
  expect(failure).toBeUndefined();
  expect((await session.run("[short.state, short.history.numRows]")).text).toBe("[ 'done', 8 ]");
});

test("an interrupt of its cell leaves the steps that were taken", { timeout: 60_000 }, async () => {
  const before = (await session.run(sum)).text;
  const { failure } = await session.interrupted(
    "const long = model.train(texts, { steps: 100_000, seed: 1, lr: 0.01 })",
    800,
  );
  expect(failure).toMatchObject({ ename: "Interrupt" });
  const { text } = await session.run(
    "const learnt = await long;\n[long.state, long.history.numRows > 0, learnt !== model, (await learnt.generate('a', { maxTokens: 2 })).tokens.length > 0]",
  );
  expect(text).toBe("[ 'stopped', true, true, true ]");
  expect((await session.run(sum)).text).toBe(before);
});

test("an interrupt of a cell that awaits it ends it too", { timeout: 60_000 }, async () => {
  const begun = "const other = model.train(texts, { steps: 100_000, seed: 1 }); other.state";
  expect((await session.run(begun)).text).toBe("'running'");
  const { failure } = await session.interrupted("await other", 500);
  expect(failure).toMatchObject({ ename: "Interrupt" });
  expect((await session.run("await other; other.state")).text).toBe("'stopped'");
});
