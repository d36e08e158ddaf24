/** Part of `lensor bench compress`: GPTQ of the model at 3 bits, group 64, symmetric, on 64 texts, against GPTQModel. Minutes a turn: --rounds 1. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hub, Model } from "../../../lib/index.ts";
import type { Contest } from "../figure.ts";
import type { Options } from "../options.ts";

const NAME = "GPTQ at 3 bits";

export const quantizing = {
  async contests({ only, model, short }: Options): Promise<Contest[]> {
    if (only.length > 0 && !only.some((text) => NAME.includes(text))) return [];
    const folder = mkdtempSync(join(tmpdir(), "lensor-bench-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    const given = short
      ? await Model.fromConfig({ layers: 1, width: 64, heads: 2, feedForward: 128, seed: 1, check: false })
      : await hub.load(model);
    await given.save(folder, { dtype: "bf16" });
    given.dispose();
    const text = readFileSync(new URL("../../../notebooks/alice.txt", import.meta.url), "utf8");
    const texts = text.match(/[\s\S]{1,800}/g)!.slice(0, short ? 2 : 64);
    const job = { prepare: "quantizing", args: { folder, texts } };
    return [
      {
        ...{ name: NAME, unit: "models/min", work: 60, ours: job },
        peers: [{ label: "GPTQModel", script: "quantizing", job }],
        targets: short ? {} : { ratio: { "": 5 } },
      },
    ];
  },
};
