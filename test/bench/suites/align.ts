/**
 * `lensor bench align`: a step of DPO on LoRA adapters, reference included, against TRL; and replies drawn eight at a time, as
 * GRPO draws them, against transformers' generate.
 */
import { locate } from "../../../lib/model/registry.ts";
import type { Contest } from "../figure.ts";
import type { Options } from "../options.ts";
import { peersFolder } from "../peers.ts";

const RANK = 8;
const WEIGHTS = ["f32", "bf16"] as const;

export const align = {
  rounds: 3,
  fresh: true,
  async contests({ model, batch, tokens, short }: Options): Promise<Contest[]> {
    const { path: file } = await locate(model);
    const pairs = pairsOf(batch ?? (short ? 1 : 4), short ? 20 : 100);
    const standard = batch === undefined && tokens === undefined && !short;
    const dpo = WEIGHTS.map((precision): Contest => {
      const args = { file, pairs, rank: RANK };
      const job = { prepare: "dpo", args: { ...args, precision, folder: peersFolder() } };
      return {
        name: `DPO, ${pairs.length} pairs, against ${precision}`,
        unit: "token/s",
        memory: true,
        work: 1,
        ours: { prepare: "dpo", args },
        peers: [{ label: `TRL ${precision}`, script: "alignment", job }],
        targets: standard ? { ratio: { "": 4 }, memory: 0.4 } : {},
      };
    });
    const replies = { file, texts: 8, tokens: tokens ?? (short ? 8 : 64) };
    const drawn = WEIGHTS.map((precision): Contest => {
      const job = { prepare: "replies", args: { ...replies, precision, folder: peersFolder() } };
      return {
        name: `${replies.tokens} tokens of ${replies.texts} replies, against ${precision}`,
        unit: "token/s",
        memory: true,
        work: 1,
        ours: { prepare: "replies", args: replies },
        peers: [{ label: `transformers ${precision}`, script: "alignment", job }],
        targets: standard ? { ratio: { "": 8 } } : {},
      };
    });
    return [...dpo, ...drawn];
  },
};

/** Prompts and replies of so many words each: about a third more tokens. */
function pairsOf(count: number, words: number): { prompt: string; chosen: string; rejected: string }[] {
  const some = (first: number, step: number, length: number) =>
    Array.from({ length }, (_, i) => WORDS[(first + i * step) % WORDS.length]).join(" ");
  return Array.from({ length: count }, (_, i) => ({
    prompt: some(i, 3, words),
    chosen: ` ${some(i, 5, words)}`,
    rejected: ` ${some(i, 7, words)}`,
  }));
}

const WORDS = "the sea was calm and a small boat went out before dawn with two men who did not speak".split(
  " ",
);
