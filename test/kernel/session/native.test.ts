// Native work in a cell: interrupts stop it and leave earlier values whole, failures reach the cell that caused them, and
// the session goes on. Through the real library and the embedded model.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Harness, plain, TIMES } from "./harness.ts";

let session: Harness;
beforeAll(async () => {
  session = new Harness({ graceMs: 5000 });
  const { failure } = await session.run(`
    import { hub, tensor } from "lensor";
    const model = await hub.load("smollm2-135m-instruct");
    const kept = tensor([1, 2, 3]);
    const text = "It was the best of times, it was the worst of times. ".repeat(300);`);
  expect(failure).toBeUndefined();
}, 60_000);
afterAll(() => session.close());

describe(`an interrupt stops, ${TIMES} times`, () => {
  test.each([
    [
      "a long chain of products",
      "let x = tensor.randn([1500, 1500]); for (let i = 0; i < 200; i++) x = x.matmul(x); await x.data()",
    ],
    ["one large product", "const large = tensor.randn([6000, 6000]); await large.matmul(large).data()"],
    [
      "a loop that fills the queue",
      "for (;;) tensor.randn([4], { seed: 1 }).expand([1000, 1000, 4]).add(1).sum()",
    ],
    ["a reply under way", `await model.generate("Once", { maxTokens: 5000, temperature: 1, seed: 1 })`],
    ["the reading of a long prompt", "await model.prefill(text)"],
    ["a trace", "await model.trace(text)"],
    ["work that nobody awaits", "void model.prefill(text); for (;;);"],
  ])("%s", { timeout: 30_000 + TIMES * 3000 }, async (_, code) => {
    for (let time = 0; time < TIMES; time++) {
      const { failure } = await session.interrupted(code, 20 + ((time * 97) % 400));
      expect(failure).toMatchObject({ ename: "Interrupt" });
      expect((await session.run("await kept.mul(2).array()")).text).toBe("[ 2, 4, 6 ]");
      const after = `(await model.generate("Once upon a", { maxTokens: 2, temperature: 0 })).text`;
      expect((await session.run(after)).text).toMatch(/time/);
    }
  });
});

describe("a failure at run time", () => {
  test("is thrown at the read, with the operation's name and the cell's line", async () => {
    const { failure } = await session.run("const bad = kept.take(tensor([7n]));\nawait bad.data()");
    expect(failure?.evalue).toMatch(/^gather: an index lies outside/);
    expect(plain(failure)).toMatch(/> 2 \| await bad/);
  });

  test("poisons what depends on it and nothing else", async () => {
    const { failure } = await session.run("await kept.take(tensor([7n])).add(1).exp().data()");
    expect(failure?.evalue).toMatch(/^gather/);
    expect((await session.run("await kept.sum().item()")).text).toBe("6");
  });

  test("that nobody read is told at the end of its cell, once", async () => {
    const { failure } = await session.run("kept.take(tensor([7n])); 1");
    expect(failure?.evalue).toMatch(/^gather/);
    expect((await session.run("2")).failure).toBeUndefined();
  });

  test("also when memory runs out", async () => {
    const most = `Math.floor((await import("node:os")).totalmem() / 4 / 1e6)`;
    const { failure } = await session.run(`tensor.zeros([${most} + 1000, 1_000_000]); 1`);
    expect(failure?.evalue).toMatch(/memory/);
    expect((await session.run("await kept.sum().item()")).text).toBe("6");
  });
});

test("a reply streams into the cell and leaves one finished output", async () => {
  const { outputs, failure } = await session.run(
    `await model.generate("Once upon a time", { maxTokens: 24, temperature: 0 })`,
  );
  expect(failure).toBeUndefined();
  const kinds = outputs.map((output) => output.type);
  expect(kinds.filter((kind) => kind === "display_data").length).toBe(1);
  expect(kinds).not.toContain("execute_result");
  const last = outputs.findLast((output) => output.type === "update_display_data");
  expect(last?.data["text/plain"]).toMatch(/\w+ \w+/);
  expect(String(last?.data["text/html"])).toMatch(/24 tokens/);
});
