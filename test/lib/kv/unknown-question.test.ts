// What is asked is not known when a cache is made smaller: a method that looks at the text's end keeps what that is about, one that
// has the model repeat the text keeps what can be asked. On SmolLM2, with LENSOR_FULL=1.

import { expect, it } from "vitest";
import { hub, keyValue, kvzip, needle, snapKV } from "../../../lib/index.ts";

it.skipIf(!process.env.LENSOR_FULL)(
  "KVzip answers no worse than SnapKV, and stays nearer to the whole cache's answers",
  { timeout: 900_000 },
  async () => {
    const model = await hub.load("smollm2-135m-instruct");
    const cache = await model.prefill(
      "Nothing is asked about this text, from which a sweep starts. ".repeat(20),
    );
    const probes = [keyValue({ pairs: 30, questions: 15 }), needle({ needles: 8, words: 600 })];
    const { rows } = await cache.sweep([kvzip(), snapKV()], { ratios: [2, 4], probes });
    for (const ratio of [2, 4]) {
      const [zip, snap] = ["kvzip", "snapKV"].map(
        (name) => rows.find((row) => row.method === name && row.ratio === ratio)!,
      );
      for (const [i, probe] of zip!.probes.entries()) {
        const other = snap!.probes[i]!;
        expect(probe.accuracy!.value, `${probe.probe} at ${ratio}x`).toBeGreaterThanOrEqual(
          other.accuracy!.value,
        );
        expect(probe.kl, `${probe.probe} at ${ratio}x`).toBeLessThan(other.kl / 2);
      }
    }
  },
);
