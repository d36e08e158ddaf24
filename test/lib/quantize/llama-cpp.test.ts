// The embedded model in GGUF's types, against llama.cpp where it is installed (npx lensor bench --install-peers), with
// LENSOR_FULL=1: the same tensors as its own quantize, byte for byte, and the same answer from our file as from us.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gguf, hub, type Model } from "../../../lib/index.ts";
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
    const ours = await small.generate(ids, { maxTokens: theirs.length, temperature: 0 });
    expect([...ours.tokens]).toEqual(theirs);
    small.dispose();
  });
});
