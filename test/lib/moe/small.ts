// A small dense model on disk for tests of experts, and numbers out of tensors.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { hub, type Model, type Tensor } from "../../../lib/index.ts";
import type { GgufType } from "../../../lib/model/gguf.ts";
import { randomModel } from "../model/random-model.ts";

const spec = { width: 64, heads: 4, kvHeads: 2, headWidth: 16, vocabulary: 280 };

/** Where the tests of a file write; gone when they have run. */
export function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lensor-moe-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

export function smallModel(folder: string, feedForward: number, types: GgufType = "F32"): Promise<Model> {
  const path = join(folder, `${types}.gguf`);
  writeFileSync(path, randomModel({ ...spec, feedForward, types }).bytes);
  return hub.load(path);
}

export const numbers = async (x: Tensor) => Array.from((await x.data()) as Float32Array);
