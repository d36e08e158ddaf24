/** Ours for `lensor bench compress`: decoding with matrices of which only some weights are kept, beside the same ones whole. */
import { hub, lowRank, Model, magnitude, type Pattern, text } from "../../../lib/index.ts";
import type { Run } from "./main.ts";

export interface ThinArgs {
  /** A file; or sizes of a model with random weights, whose vocabulary is small. */
  file?: string;
  sizes?: { layers: number; width: number; heads: number; kvHeads: number; feedForward: number };
  /** "2:4"; none: all of them, as f16. */
  pattern?: Pattern;
  /** The share of numbers that factors keep. */
  keep?: number;
  tokens: number;
}

/** Tokens one after the other. */
export async function thinDecode({ file, sizes, pattern, keep, tokens }: ThinArgs): Promise<Run> {
  const base = file ? await hub.load(file) : await random(sizes!);
  const method =
    keep !== undefined
      ? lowRank({ keep, whitened: false })
      : magnitude(pattern ? { pattern } : { sparsity: 0 });
  const model = await base.prune(method);
  base.dispose();
  const ids = Array.from({ length: 8 }, (_, i) => 5 + i);
  const cache = (await model.prefill(ids, { compute: "exact" })).rewind(ids.length - 1);
  return async () => {
    const began = performance.now();
    const { tokens: made } = await model.generate([ids.at(-1)!], {
      ...{ cache, maxTokens: tokens, temperature: 0, compute: "exact" },
    });
    return { seconds: (performance.now() - began) / 1000, count: made.length };
  };
}

async function random(sizes: NonNullable<ThinArgs["sizes"]>): Promise<Model> {
  const tokenizer = await text.trainBPE(["the cat and the dog and the mat"], { vocabulary: 300 });
  return Model.fromConfig({ ...sizes, context: 256, tokenizer, dtype: "f16", seed: 1, check: false });
}
