// Promises of cost that hold on any machine: memory, and a start time with room to spare. Speed is `lensor bench`'s.

import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { locate } from "../../lib/model/registry.ts";
import { measureKernel } from "./kernel-process.ts";
import { ask } from "./side.ts";

describe.skipIf(process.platform !== "linux")("the kernel", () => {
  it("answers within 0.8 s of its start and rests under 180 MB, host and child", {
    timeout: 60_000,
  }, async () => {
    // The best of two: the other tests share the processors.
    const [first, second] = [await measureKernel(1), await measureKernel(1)];
    expect(Math.min(first.cell, second.cell)).toBeLessThan(800);
    expect(Math.min(first.rss, second.rss)).toBeLessThan(180e6);
  });
});

it("generating with the embedded model peaks under 600 MB", { timeout: 60_000 }, async () => {
  const { path: file } = await locate("smollm2-135m-instruct");
  const threads = availableParallelism();
  const { peakBytes } = await ask("ours", {
    what: "decode",
    file,
    threads,
    context: 512,
    tokens: 64,
    compute: "fast",
  });
  expect(peakBytes).toBeLessThan(600e6);
});
