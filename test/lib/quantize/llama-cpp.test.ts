// The embedded model in GGUF's types, against llama.cpp where it is installed (npx lensor bench --install-peers), with
// LENSOR_FULL=1: the same tensors as its own quantize, byte for byte, and from our file the answer that
// is ours. Of 24 tokens each, at most two were not our first choice, and were then at most 0.25 nats behind it (Q2_K; else 0.05).

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gguf, hub, type Model, type Tensor } from "../../../lib/index.ts";
import type { RecipeName } from "../../../lib/quantize/recipe.ts";
import { peerPython } from "../../bench/peers.ts";
import { hashesOf } from "./hashes.ts";

const python = peerPython();
const SCRIPT = fileURLToPath(new URL("../../fixtures/llama_cpp_gguf.py", import.meta.url));
const PROMPT = "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n";
const RECIPES: readonly RecipeName[] = ["Q4_K_M", "Q2_K", "Q5_K_M", "Q6_K"];
const ask = (...words: string[]): unknown =>
  JSON.parse(
    execFileSync(python!, [SCRIPT, ...words], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .trim()
      .split("\n")
      .at(-1)!,
  );

/** How far, in nats, each of their tokens is behind the one that we hold most probable after the same text. */
async function behindOurs(model: Model, ids: number[], theirs: number[]): Promise<number[]> {
  const { logits } = await model.forward([...ids, ...theirs]);
  const all = (await (logits as Tensor).data()) as Float32Array;
  const size = model.config.vocabulary;
  return theirs.map((token, i) => {
    const row = all.subarray((ids.length + i - 1) * size, (ids.length + i) * size);
    return row.reduce((a, b) => Math.max(a, b)) - row[token]!;
  });
}

describe.skipIf(!process.env.LENSOR_FULL || !python)("beside llama.cpp", { timeout: 600_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), "lensor-llama-cpp-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const from = join(root, "from.gguf");
  let model: Model;
  beforeAll(async () => {
    model = await hub.load("smollm2-135m-instruct");
    await model.save(from);
  });

  it.each(RECIPES)("%s: the same tensors, and the same answer", async (recipe) => {
    const small = await model.quantize(gguf(recipe), { head: true });
    const path = join(root, `${recipe}.gguf`);
    await small.save(path);
    expect(await hashesOf(path)).toEqual(ask("quantize", from, recipe));
    const ids = small.tokenizer.encode(PROMPT).ids;
    const theirs = ask("answer", path, ...ids.map(String)) as number[];
    const behind = await behindOurs(small, ids, theirs);
    // It rounds activations in ways of its own: where two tokens are as likely it may take the other.
    expect([recipe, Math.max(...behind) < 0.5, behind.filter((x) => x === 0).length > 20]).toEqual([
      ...[recipe, true, true],
    ]);
    small.dispose();
  });
});
