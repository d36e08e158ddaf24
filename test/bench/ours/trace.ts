/** A forward pass in exact mode, alone or traced with the maps of one layer: what looking adds. */
import { hub } from "../../../lib/index.ts";
import type { Run } from "./main.ts";

/** @param layer Whose maps are made; without it nothing is kept but the cache that any pass leaves. */
export async function look(args: { file: string; prompt: number[]; layer?: number }): Promise<Run> {
  const { file, prompt, layer } = args;
  const model = await hub.load(file);
  return async () => {
    const start = performance.now();
    if (layer === undefined) (await model.prefill(prompt, { compute: "exact" })).dispose();
    else {
      const trace = await model.trace(prompt);
      const { weights } = trace.attention({ layer });
      const first = weights.at(0, 0, 0);
      await first.item();
      for (const made of [first, weights, trace]) made.dispose();
    }
    return { seconds: (performance.now() - start) / 1000, count: prompt.length };
  };
}
