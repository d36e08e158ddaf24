/** Decoding of one model in GGUF's types: widths that the blocks of k-quants divide, weights from a seed. */
import { gguf, Model, type RecipeName } from "../../../lib/index.ts";
import type { Run } from "./main.ts";

export async function ggufDecode(args: { recipe: RecipeName; layers: number; tokens: number }): Promise<Run> {
  const { recipe, layers, tokens } = args;
  const whole = await Model.fromConfig({
    ...{ layers, width: 768, heads: 12, kvHeads: 4, feedForward: 2048, seed: 1, check: false },
  });
  const model = await whole.quantize(gguf(recipe), { head: true });
  whole.dispose();
  const prompt = Array.from({ length: 64 }, (_, i) => (i * 37) % 256);
  const cache = await model.prefill(prompt.slice(0, -1), { compute: "fast", kv: "f16" });
  return async () => {
    const start = performance.now();
    const reply = await model.generate(prompt.slice(-1), { cache, maxTokens: tokens, temperature: 0 });
    return { seconds: (performance.now() - start) / 1000, count: reply.tokens.length, made: reply.tokens };
  };
}
