// Promises of memory, which hold on any machine. Speed is `lensor bench`'s: a timed test fails on a busy one.

import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { locate } from "../../lib/model/registry.ts";
import { measureKernel } from "./kernel-process.ts";
import { Side } from "./side.ts";
import { textIds } from "./suites/generate.ts";

describe.skipIf(process.platform !== "linux")("the kernel", () => {
  it("rests under 180 MB, host and child", { timeout: 60_000 }, async () => {
    const { rss } = await measureKernel(1);
    expect(rss).toBeLessThan(180e6);
  });
});

it("generating with the embedded model peaks under 600 MB", { timeout: 60_000 }, async () => {
  const { path: file } = await locate("smollm2-135m-instruct");
  const side = await Side.ours(availableParallelism());
  try {
    await side.prepare({ prepare: "decode", args: { file, prompt: textIds(512), tokens: 64 } });
    const { peakBytes } = await side.run();
    expect(peakBytes).toBeLessThan(600e6);
  } finally {
    side.close();
  }
});
