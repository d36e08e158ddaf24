// Whether two models are the same: a hash over every number that a model computes with, as it is kept. Reads one tensor at a
// time; remembers the result as long as nothing can learn.

import { createHash } from "node:crypto";
import { expectedTensors } from "./config.ts";
import type { Model } from "./model.ts";
import { storedBytes, weightBytes } from "./weights.ts";

const known = new WeakMap<Model, { edition: number; hash: string }>();

/** Equal for models that compute the same in every bit, wherever they came from; their names do not count. */
export async function fingerprintOf(model: Model): Promise<string> {
  const hash = createHash("sha256").update(await weightsOf(model));
  for (let one = model.adapter; one; one = one.base.adapter) hash.update(await one.fingerprint());
  return hash.digest("hex");
}

/** Of its own weights, without what stands beside them. */
async function weightsOf(model: Model): Promise<string> {
  const before = known.get(model);
  if (before && before.edition === model.edition) return before.hash;
  const { name: _, ...config } = model.config;
  // Native code has it in f32.
  const shape = Object.entries({ ...config, normEpsilon: Math.fround(config.normEpsilon) });
  shape.sort(([a], [b]) => (a < b ? -1 : 1));
  model.native(); // what was learnt is in the weights, and `tensors` tells of it
  const hash = createHash("sha256").update(JSON.stringify(shape));
  const types = new Map(model.tensors.map(({ name, type }) => [name, type]));
  for (const [name, { length }] of expectedTensors(model.config)) {
    const type = types.get(name)!;
    hash.update(`${name} ${length === 1 ? "F32" : type}\n`);
    hash.update(
      length === 1 || type === "FACTORS"
        ? await weightBytes(model, name, "f32")
        : await storedBytes(model, name, type),
    );
  }
  const made = hash.digest("hex");
  if (model.edition !== undefined) known.set(model, { edition: model.edition, hash: made });
  return made;
}
