/**
 * `lensor bench train`: whole steps of AdamW, of all parameters and of LoRA adapters, against PyTorch and transformers in
 * each of the ways that people train with them; and what a run's checkpoints add to its time. Processes are fresh for each,
 * so that a peak of memory is its own.
 */
import { locate } from "../../../lib/model/registry.ts";
import { type Contest, median, missedBound, type Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { peersFolder } from "../peers.ts";
import { ratios, turns } from "../turns.ts";
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
  async *watch({ model, only, rounds, short, threads }: Options): AsyncGenerator<Reading> {
    const name = "checkpoints of a LoRA run";
    if (only.length > 0 && !only.some((text) => name.includes(text))) return;
    const { path: file } = await locate(model);
    const steps = short ? 2 : 10;
    const [size, length] = short ? [1, 32] : [4, 128];
    const args = { file, ids: textIds(steps * size * length), rank: RANK, steps, size, length };
    const jobs = [steps / 2, 0].map((saveEvery) => ({ prepare: "tuning", args: { ...args, saveEvery } }));
    const samples = ratios(await turns(jobs, rounds ?? (short ? 1 : 3), threads));
    const [value, most] = [median(samples), 1.05];
    const unit = `x the run's time without (${steps} steps of ${size} x ${length} tokens, saved twice)`;
    const missed = short ? [] : missedBound({ value, most });
    yield { suite: "train", name, threads, unit, value, most, samples, missed };
  },
};
