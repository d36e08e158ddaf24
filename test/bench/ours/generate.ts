/** Reading a prompt and decoding, as model.prefill and model.generate do it. */
import { hub, rtn } from "../../../lib/index.ts";
import type { Run } from "./main.ts";

const compute = "fast";

/** @param args.rounded Its blocks' matrices in so many bits, in place of what the file has */
export async function decode(args: {
  file: string;
  prompt: number[];
  tokens: number;
  rounded?: { bits: number; group: number };
}): Promise<Run> {
  const { file, prompt, tokens, rounded } = args;
  const loaded = await hub.load(file);
  const model = rounded ? await loaded.quantize(rtn(rounded)) : loaded;
  // All of the prompt but its last token: n tokens are then n passes of one token each.
  const cache = await model.prefill(prompt.slice(0, -1), { compute, kv: "f16" });
  return async () => {
    const start = performance.now();
    const reply = await model.generate(prompt.slice(-1), { cache, maxTokens: tokens, temperature: 0 });
    const seconds = (performance.now() - start) / 1000;
    return { seconds, count: reply.tokens.length, made: reply.tokens };
  };
}

export async function prefill({ file, prompt }: { file: string; prompt: number[] }): Promise<Run> {
  const model = await hub.load(file);
  return async () => {
    const start = performance.now();
    const cache = await model.prefill(prompt, { compute });
    const seconds = (performance.now() - start) / 1000;
    cache.dispose();
    return { seconds, count: prompt.length };
  };
}

/** Replies of some hundred tokens, one after another, nothing disposed by hand. */
export async function manyTokens({ file, tokens }: { file: string; tokens: number }): Promise<Run> {
  const model = await hub.load(file);
  let seed = 0;
  return async () => {
    const start = performance.now();
    const watch = new Watch();
    for (let made = 0; made < tokens; ) {
      const maxTokens = Math.min(500, tokens - made);
      const reply = await model.generate("Once upon a time", { maxTokens, temperature: 1, seed: seed++ });
      made += reply.tokens.length;
      watch.look();
    }
    return { seconds: (performance.now() - start) / 1000, count: tokens, resident: watch.resident };
  };
}

/** What is resident, on average over many looks, in bytes. */
export class Watch {
  readonly resident = { all: 0, heap: 0 };
  #looks = 0;

  look(): void {
    const { rss, heapTotal } = process.memoryUsage();
    this.#looks++;
    this.resident.all += (rss - this.resident.all) / this.#looks;
    this.resident.heap += (heapTotal - this.resident.heap) / this.#looks;
  }
}
