/** `lensor bench interrupt`: how long after an interrupt a native call returns, at the 95th percentile of many. */
import { locate } from "../../../lib/model/registry.ts";
import { quantile, type Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { Side } from "../side.ts";
import { textIds } from "./generate.ts";

const MOST_MS = 200;
const CALLS = ["gemm", "attention", "backward", "sort", "prefill", "decode", "training"] as const;

export const interrupt = {
  async *watch({ threads, rounds, model, only, short }: Options): AsyncGenerator<Reading> {
    const { path: file } = await locate(model);
    for (const call of CALLS) {
      if (only.length > 0 && !only.some((text) => call.includes(text))) continue;
      const side = await Side.ours(threads);
      try {
        await side.prepare({ prepare: "interrupt", args: { call, file, prompt: textIds(2048) } });
        const samples: number[] = [];
        for (let i = 0; i < (rounds ?? (short ? 5 : 40)); i++)
          samples.push((await side.run()).seconds * 1000);
        const value = quantile(samples, 0.95);
        const missed = value > MOST_MS ? [`returned after ${value.toFixed(0)} ms, wanted ${MOST_MS}`] : [];
        const unit = "ms at the 95th percentile";
        yield { suite: "interrupt", name: call, threads, unit, value, most: MOST_MS, samples, missed };
      } finally {
        side.close();
      }
    }
  },
};
