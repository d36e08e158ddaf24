/**
 * `lensor bench train`: whole steps of AdamW, of all parameters and of LoRA adapters, against PyTorch and transformers in
 * each of the ways that people train with them. Processes are fresh for each, so that a peak of memory is its own.
 */
import { locate } from "../../../lib/model/registry.ts";
import type { Contest } from "../figure.ts";
import type { Options } from "../options.ts";
import { peersFolder } from "../peers.ts";
import { textIds } from "./generate.ts";

const TARGETS = {
  full: { ratio: { "": 1.8 }, memory: 0.6 },
  LoRA: { ratio: { "": 2 }, memory: 0.4 },
} as const;
const RANK = 8;

export const train = {
  rounds: 3,
  fresh: true,
  async contests({ model, sequence, batch, short }: Options): Promise<Contest[]> {
    const { path: file } = await locate(model);
    const T = sequence ?? (short ? 32 : 512);
    const B = batch ?? (short ? 1 : 4);
    const text = textIds(T * B);
    const ids = Array.from({ length: B }, (_, i) => text.slice(i * T, (i + 1) * T));
    const standard = T === 512 && B === 4;
    return (["full", "LoRA"] as const).flatMap((what) =>
      (["f32", "autocast", "bf16"] as const).map((peer): Contest => {
        const args = { file, ids, rank: what === "LoRA" ? RANK : 0 };
        const job = { prepare: "train", args: { ...args, precision: peer, folder: peersFolder() } };
        return {
          name: `${what}, ${B} x ${T} tokens, against ${peer}`,
          unit: "token/s",
          memory: true,
          work: 1,
          ours: { prepare: "train", args: { ...args, precision: "bf16" } },
          peers: [{ label: peer, script: "training", job }],
          targets: standard ? TARGETS[what] : {},
        };
      }),
    );
  },
};
