// The benchmarks themselves: that a suite runs on our side alone, and what it says. What the figures are is no test's matter.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { type Figure, missedBound, quantile, type Reading } from "./figure.ts";
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

it("watches how what makes caches smaller grows with the text, and what looking at a layer costs", {
  timeout: 120_000,
}, async () => {
  const args = ["kv", "--short", "--threads", "1", "--only", "growth", "--only", "trace", "--json", "-"];
  const { results } = await bench(...args);
  expect(results.map(({ name }) => name)).toEqual([
    ...["trace with maps of one layer", "growth of streaming", "growth of snapKV", "growth of hak"],
    "growth of ompFast",
  ]);
  for (const { suite, value, missed } of results as unknown as Reading[]) {
    expect([suite, missed]).toEqual(["kv", []]);
    expect(value).toBeGreaterThan(-1);
  }
});

it("sets a run with checkpoints beside the same without", { timeout: 120_000 }, async () => {
  const args = ["train", "--short", "--threads", "1", "--only", "checkpoints", "--json", "-"];
  const { results } = await bench(...args);
  const [{ suite, value, samples, most }] = results as unknown as [Reading];
  expect([suite, samples.length, most]).toEqual(["train", 1, 1.05]);
  expect(value).toBe(samples[0]);
  expect(value).toBeGreaterThan(0.2);
});

it("sets each way to choose keys beside the best method that only leaves keys out", {
  timeout: 120_000,
}, async () => {
  const args = ["quality", "--short", "--context", "256", "--threads", "1", "--only", "layer", "--json", "-"];
  const { results } = await bench(...args);
  const readings = results as unknown as Reading[];
  expect(readings.map(({ name }) => name)).toEqual(
    ["hak", "omp", "ompFast"].map((select) => `${select}: output error of layer 15, alice, 256 tokens, 10x`),
  );
  for (const { value, samples, most } of readings) {
    expect(value).toBeCloseTo(samples[0]! / samples[1]!);
    expect(samples.every((error) => error > 0 && error < 2)).toBe(true);
    expect(most).toBe(1);
  }
});

it("times how near copies are found, and how that grows, without the peers too", {
  timeout: 120_000,
}, async () => {
  const args = ["data", "--short", "--rounds", "1", "--threads", "1", "--only", "dedup", "--json", "-"];
  const { results, said } = await bench(...args);
  expect(results.map(({ suite, name }) => [suite, name])).toEqual([
    ["data", "dedup"],
    ["data", "dedup growth"],
  ]);
  expect(results[0]!.ours.median).toBeGreaterThan(0);
  expect(said).toMatch(/skipped: datatrove/);
});

it("reads, curates and tokenizes a corpus, and says how the cost grows and what is resident", {
  timeout: 120_000,
}, async () => {
  const only = ["--only", "tokenization", "--only", "pipeline"];
  const { results } = await bench(
    "data",
    "--short",
    "--rounds",
    "1",
    "--threads",
    "1",
    ...only,
    "--json",
    "-",
  );
  expect(results.map(({ name }) => name)).toEqual(["tokenization", "pipeline growth", "pipeline memory"]);
  const [tokenization, growth, memory] = results as unknown as [Figure, Reading, Reading];
  expect(tokenization.ours.median).toBeGreaterThan(0);
  expect(growth.value).toBeGreaterThan(0);
  expect(memory.value).toBeGreaterThan(0.05);
});

it("puts the figures of smaller models together from their parts", { timeout: 90_000 }, async () => {
  const only = ["decode of the base", "decode in Q4_K_S", "decode with 2:4", "decode in fewer bits"].flatMap(
    (one) => ["--only", one],
  );
  const args = ["compress", "--short", "--rounds", "1", "--threads", "1", ...only];
  const { results } = await bench(...args, "--json", "-");
  expect(results.map(({ suite, name }) => [suite, name])).toEqual([
    ["compress", "decode of the base: 16 tokens after 64"],
    ["compress", "decode in Q4_K_S to Q4_0"],
    ["compress", "decode in fewer bits: 4 bits, groups of 32"],
    ["compress", "decode in fewer bits: 3 bits, groups of 64"],
    ["compress", "decode in fewer bits: 2 bits, groups of 64"],
    ["compress", "decode with 2:4 of a layer of 64 x 128"],
  ]);
  expect(results[0]!.ours.median).toBeGreaterThan(0);
  for (const one of results.slice(1)) expect((one as unknown as Reading).value).toBeGreaterThan(0);
});

it("holds what it watches against the most and the least that it may be", () => {
  expect(missedBound({ value: 1.5, most: 1.3 })).toEqual(["1.500, wanted 1.3 at most"]);
  expect(missedBound({ value: 0.5, least: 0.85 })).toEqual(["0.500, wanted 0.85 at least"]);
  expect(missedBound({ value: 0.9, least: 0.85, most: 1 })).toEqual([]);
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
