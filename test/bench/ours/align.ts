/** Steps of DPO and replies drawn together, as a cell would ask for them. */
import { hub, lora, dpo as method } from "../../../lib/index.ts";
import type { Run } from "./main.ts";

export async function dpo(args: {
  file: string;
  pairs: { prompt: string; chosen: string; rejected: string }[];
  rank: number;
}): Promise<Run> {
  const { file, pairs, rank } = args;
  const model = await hub.load(file);
  return async () => {
    // One step of a run of its own: what the reference says is asked anew, as TRL asks it at every step.
    const run = model.align(pairs, method(), {
      ...{ adapter: lora({ rank }), steps: 1, batch: pairs.length, lr: 1e-5, precision: "bf16", seed: 0 },
    });
    await run;
    const row = run.history.get(0)!;
    const { seconds } = run.journal;
    return { seconds, count: Math.round(row.tokensPerSecond * seconds) };
  };
}

export async function replies(args: { file: string; texts: number; tokens: number }): Promise<Run> {
  const { file, texts, tokens } = args;
  const model = await hub.load(file);
  const prompts = Array.from({ length: texts }, () => "Once upon a time");
  let seed = 0;
  return async () => {
    const start = performance.now();
    const all = await model.generate(prompts, { maxTokens: tokens, temperature: 1, seed: seed++ });
    const seconds = (performance.now() - start) / 1000;
    return { seconds, count: all.reduce((sum, reply) => sum + reply.tokens.length, 0) };
  };
}
