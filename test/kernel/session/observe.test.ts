// The engine seen from a notebook: memory and profiles name the cells that hold it and did it.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Harness } from "./harness.ts";

let session: Harness;
beforeAll(async () => {
  session = new Harness();
  const { failure } = await session.run(`
    import { memory, profile, tensor } from "lensor";
    const first = tensor.ones([1000, 1000]);`);
  expect(failure).toBeUndefined();
}, 60_000);
afterAll(() => session.close());

const held = "memory().holders.map(({ cell, bytes }) => cell + ' ' + Math.round(bytes / 1e6)).join(', ')";

test("memory is booked on the cell that asked for it, by its number", async () => {
  await session.run("const second = tensor.ones([500, 1000]);");
  expect((await session.run(held)).text).toMatch(/Cell \[1\] 4, Cell \[2\] 2/);
});

test("what is held in the background of no cell is said to be so", async () => {
  await session.run("let late; setTimeout(() => { late = tensor.ones([2000, 1000]); }, 50); 0");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await session.run(held)).text).toMatch(/outside cells 8/);
});

test("an operation that runs out of memory says which cell holds the most, and in which variable", async () => {
  const { failure } = await session.run(
    "memory.limit(memory().live + 20e6); await first.reshape([1, 1000, 1000]).mul(tensor.ones([10, 1, 1])).data()",
  );
  expect(failure?.evalue).toMatch(
    /^mul: out of memory\. Its result \[10, 1000, 1000\] f32 needed 40 MB .*\nThe most is held by .*4 MB in tensors of Cell \[1\] \(the largest is first, copy \[1000, 1000\] f32, 4 MB\)/,
  );
  expect((await session.run("memory.limit(); await first.mean().item()")).text).toBe("1");
});

test("a profile's flame chart begins with the cell", async () => {
  const { text } = await session.run(`
    const found = await profile(() => first.matmul(first).data());
    (await found.flame().spec()).data[0].text`);
  expect(text).toMatch(/Cell \[\d+\]/);
});
