// memory(): its counts are those of the allocator, its budget refuses in words, and forgotten tensors do not pile up.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { memory } from "../../../lib/memory/memory.ts";
import { tensor } from "../../../lib/tensor/index.ts";
import { optim } from "../../../lib/train/optim/index.ts";
import { randomModel } from "../model/random-model.ts";
import { SMALL, saved } from "../model/temporary.ts";

const DISPLAY = Symbol.for("Jupyter.display");
const of = (kind: Parameters<ReturnType<typeof memory>["of"]>[0]) => memory().of(kind);

describe("memory()", () => {
  afterEach(() => memory.limit());

  test("counts a tensor while it lives, and its peak after", async () => {
    const before = memory().live;
    const x = tensor.zeros([1000, 1000]);
    await x.sum().item();
    expect(memory().live - before).toBeGreaterThanOrEqual(4e6);
    expect(memory().holders[0]!.cell).toBe("this program");
    x.dispose();
    const after = memory();
    expect(after.live - before).toBeLessThan(4e6);
    expect(after.peak - before).toBeGreaterThanOrEqual(4e6);
    expect(after.budget).toBeGreaterThan(after.live);
  });

  test("tells gradients and optimizer state from tensors", async () => {
    const [gradients, state] = [of("gradient"), of("optimizer state")];
    const w = tensor.randn([500, 500], { seed: 1 }).requiresGrad();
    const adam = optim.adamw([w], { lr: 1e-3 });
    w.mul(w).sum().backward();
    adam.step();
    await w.sum().item();
    expect(of("gradient") - gradients).toBeGreaterThanOrEqual(1e6);
    // Two moments in f32.
    expect(of("optimizer state") - state).toBeGreaterThanOrEqual(2e6);
  });

  test("the table's bytes add up to what is live, shares to one", () => {
    const use = memory();
    const rows = use.table().toArray();
    expect(rows.reduce((sum, row) => sum + row.bytes, 0)).toBe(use.live);
    expect(rows.reduce((sum, row) => sum + row.share, 0)).toBeCloseTo(1, 12);
    for (const point of use.timeline) expect(point.kinds.reduce((a, b) => a + b, 0)).toBe(point.live);
  });

  test("past its limit an operation fails, names what it needed and who holds the most, and the next one works", async () => {
    const held = tensor.ones([1000, 1000]).add(1).named("held");
    await held.sum().item();
    memory.limit(memory().live + 20e6);
    const large = held.reshape([1, 1000, 1000]).mul(tensor.ones([10, 1, 1]));
    await expect(large.data()).rejects.toThrow(
      /^mul: out of memory\. Its result \[10, 1000, 1000\] f32 needed 40 MB while lensor held .* of the .*\nThe most is held by .* in tensors \(the largest is held, add \[1000, 1000\] f32, 4 MB\).*\nDispose/,
    );
    expect(() => tensor(new Float32Array(10e6))).toThrow(
      /^tensor: out of memory\. Its result \[10000000\] f32 needed 40 MB/,
    );
    // A view that repeats its elements takes memory when it is read.
    await expect(
      tensor([1])
        .expand(2 ** 31)
        .data(),
    ).rejects.toThrow(/^read: out of memory\. Its result \[2147483648\] f32 needed 8\.59 GB/);
    expect(await held.mean().item()).toBe(2);
    expect(() => memory.limit(5)).toThrow(
      /memory\.limit: bytes is wrong\nExpected .* from 1e6 up.*, got 5\./,
    );
  });

  test("its card and figure say who holds the most", async () => {
    const held = tensor.ones([1000, 1000]).add(1);
    await held.sum().item();
    const use = memory();
    const shown = (use as unknown as Record<symbol, () => Record<string, string>>)[DISPLAY]!();
    expect(shown["text/plain"]).toMatch(/in use\nat most .* budget .*\n.*tensor/);
    const { layout, data } = await use.plot().spec();
    expect((layout.meta as { title: string }).title).toMatch(
      /^\d+(\.\d+)?\s% of the .* MB that are live: \w+/,
    );
    expect(data.length).toBeGreaterThan(1);
    expect(JSON.stringify(data).length).toBeLessThan(100_000);
    expect(held.disposed).toBe(false);
  });
});

/** What a process of its own says of its resident memory, in tenths of its work. */
async function residentIn(child: string, ...args: string[]): Promise<number[]> {
  const register = fileURLToPath(new URL("../../../dist/kernel/session/register.js", import.meta.url));
  const file = fileURLToPath(new URL(child, import.meta.url));
  // V8's young generation grows once, by itself, at a time of its own choice: here it begins at its full size.
  const flags = ["--min-semi-space-size=16", "--import", register];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, file, ...args]);
  return (JSON.parse(stdout) as { resident: number[] }).resident;
}

describe("resident memory stays flat though nobody disposes of anything", () => {
  test("in 20,000 small operations of one synchronous turn", { timeout: 60_000 }, async () => {
    const resident = await residentIn("loop-child.ts");
    // Each result is 16 KB: all of them would be 320 MB.
    expect(resident.at(-1)! - resident[1]!).toBeLessThan(40e6);
  });

  test("in 10,000 steps of a small network", { timeout: 120_000 }, async () => {
    const resident = await residentIn("training-child.ts");
    expect(resident[9]! / resident[1]!).toBeLessThan(1.02);
  });

  test("in 20,000 generated tokens", { timeout: 120_000 }, async () => {
    const resident = await residentIn("generating-child.ts", saved(randomModel(SMALL).bytes));
    expect(resident[9]! / resident[1]!).toBeLessThan(1.02);
  });
});
