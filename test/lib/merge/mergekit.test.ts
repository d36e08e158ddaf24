// Every method against mergekit's own results (test/fixtures/make_merge.py): the same configurations, read from its files, give
// the same numbers to 1e-6, random ones included.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Model, merge } from "../../../lib/index.ts";
import { floatsOf, readSafetensors, readTensors } from "../../../lib/model/safetensors.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { mergeModel, type Which } from "./merge-models.ts";

const fixtures = new URL("../../fixtures/", import.meta.url);
const { seed, cases } = JSON.parse(readFileSync(new URL("merge.json", fixtures), "utf8")) as {
  seed: number;
  cases: Record<string, string>;
};
const folder = mkdtempSync(join(tmpdir(), "lensor-mergekit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const models = {} as Record<Which, Model>;
const wanted = new Map<string, Float32Array>();
beforeAll(async () => {
  for (const which of ["base", "a", "b", "c"] as const) {
    models[which] = await mergeModel(which);
    await models[which].save(join(folder, which), { dtype: "f32" });
  }
  const file = await readSafetensors(new URL("merge.safetensors", fixtures).pathname);
  for await (const { tensor, data } of readTensors(file, file.tensors))
    wanted.set(tensor.name, floatsOf(tensor, data));
});

/** The largest difference, and of how many numbers. */
async function expectEqual(model: Model, name: string): Promise<void> {
  let compared = 0;
  for (const [key, values] of wanted) {
    const [which, tensor] = key.split("/") as [string, string];
    if (which !== name) continue;
    const own = unpacked(model, tensor);
    const found = ((await own.data()) as Float32Array).subarray(0, values.length);
    own.dispose();
    const off = values.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0);
    expect(off, key).toBeLessThan(1e-6);
    compared += values.length;
  }
  expect(compared).toBeGreaterThan(2000);
}

describe.each(Object.entries(cases))("%s", (name, text) => {
  it("gives mergekit's numbers from models in memory", async () => {
    const made = await merge.yaml(text, { models, seed });
    await expectEqual(made, name);
    made.dispose();
  });
});

describe("from files", () => {
  it("gives mergekit's numbers, written to a folder tensor by tensor", async () => {
    const path = join(folder, "ties.yml");
    writeFileSync(path, cases.ties!);
    const written = await merge.yaml(path, { seed, out: join(folder, "ties") });
    const made = await written.load();
    await expectEqual(made, "ties");
    made.dispose();
  });
});
