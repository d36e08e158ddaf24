// Random models as a person meets them: files in a folder of the test's own, loaded by hub.load.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { hub, type Model } from "../../../lib/index.ts";
import { randomModel, type TinySpec } from "./random-model.ts";

const folder = mkdtempSync(join(tmpdir(), "lensor-model-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** Writes the bytes of a model and says where. */
export function saved(bytes: Uint8Array): string {
  const path = join(folder, `${count++}.gguf`);
  writeFileSync(path, bytes);
  return path;
}

/** A plain small model; nothing but the length ends its texts. */
export const SMALL: TinySpec = {
  ...{ types: "F32", width: 40, heads: 4, kvHeads: 2, headWidth: 8, feedForward: 51, vocabulary: 300 },
  end: false,
};

export function loadRandom(change: Partial<TinySpec> = {}): Promise<Model> {
  return hub.load(saved(randomModel({ ...SMALL, ...change }).bytes));
}
