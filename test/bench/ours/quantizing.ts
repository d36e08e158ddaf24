/** GPTQ of a model on disk at 3 bits, group 64, symmetric, passes in bf16. Loading is not counted. */
import { gptq, hub } from "../../../lib/index.ts";
import type { Run } from "./main.ts";

export async function quantizing({ folder, texts }: { folder: string; texts: string[] }): Promise<Run> {
  const model = await hub.load(folder);
  return async () => {
    const began = performance.now();
    const small = await model.quantize(gptq({ bits: 3, group: 64 }), { calibrate: texts, precision: "bf16" });
    const seconds = (performance.now() - began) / 1000;
    small.dispose();
    return { seconds, count: 1 };
  };
}
