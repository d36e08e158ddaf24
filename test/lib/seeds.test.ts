// Same seed, same bits (design.md): training and sampling give the same numbers to the last bit when they are done again, in
// the same process and in another; another seed gives others.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { Seeded } from "./seeds-child.ts";

const register = fileURLToPath(new URL("../../dist/kernel/session/register.js", import.meta.url));
const child = fileURLToPath(new URL("seeds-child.ts", import.meta.url));

async function run(): Promise<Seeded> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", register, child]);
  return JSON.parse(/^answer (.*)$/m.exec(stdout)![1]!) as Seeded;
}

describe("the same seed gives the same bits", () => {
  let first: Seeded;
  let second: Seeded;
  beforeAll(async () => {
    [first, second] = [await run(), await run()];
  }, 240_000);

  const networks = ["AdamW", "AdamW in 8 bits", "Lion", "Muon", "Adafactor"];
  it.each([
    "random tensors",
    ...networks.map((one) => `a network with ${one}`),
    ...["adapters in f32", "adapters in bf16", "sampling, exact", "sampling, fast"],
  ])("%s", (work) => {
    const { same, other } = first[work]!;
    expect(same[1]).toBe(same[0]);
    expect(second[work]).toEqual(first[work]);
    expect(other).not.toBe(same[0]);
  });
});
