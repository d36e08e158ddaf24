// The benchmarks themselves: that a suite runs on our side alone, and what it says. What the figures are is no test's matter.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { type Figure, quantile } from "./figure.ts";
import { root } from "./side.ts";

const run = promisify(execFile);

/** `lensor bench` where no peer is installed. */
async function bench(...args: string[]): Promise<{ results: Figure[]; said: string }> {
  const register = join(root, "dist/kernel/session/register.js");
  const env = { ...process.env, LENSOR_PEERS: join(root, "test/output/no-peers") };
  const script = join(root, "test/bench/main.ts");
  const { stdout, stderr } = await run(process.execPath, ["--import", register, script, ...args], { env });
  return { ...(JSON.parse(stdout) as { results: Figure[] }), said: stderr };
}

it("gives figures as JSON alone, names the peers that are not there, and says how to get them", {
  timeout: 90_000,
}, async () => {
  const only = "512 x 576 x 576 f32";
  const { results, said } = await bench(
    "gemm",
    "--short",
    "--rounds",
    "2",
    "--threads",
    "1",
    "--only",
    only,
    "--json",
    "-",
  );
  expect(results.map(({ suite, name, threads, peers }) => ({ suite, name, threads, peers }))).toEqual([
    { suite: "gemm", name: only, threads: 1, peers: [] },
  ]);
  const [{ ours, probes, share }] = results as [Figure];
  expect(ours.samples).toHaveLength(2);
  expect(ours.median).toBeGreaterThan(0);
  expect(probes.read).toBeGreaterThan(1e8);
  expect(share).toBeCloseTo((ours.median * 1e9) / probes.f32!);
  expect(said).toMatch(/skipped: PyTorch .*npx lensor bench --install-peers/);
});

it("refuses what it does not know by name", async () => {
  await expect(bench("gem")).rejects.toThrow(/expected a suite of gemm, attention, .*got gem/);
  await expect(bench("gemm", "--rounds", "0")).rejects.toThrow(
    /--rounds: expected a whole number of at least 1, got 0/,
  );
});

it("takes quantiles between neighbours", () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([3, 1, 2], 0.5)).toBe(2);
  expect(quantile([1, 2], 0.95)).toBeCloseTo(1.95);
});
