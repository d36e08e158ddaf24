/** Part of `lensor bench compress`: decoding in GGUF's types, each beside Q4_0 in the same run. */
import { median, missedBound, type Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { ratios, turns } from "../turns.ts";

/** Those of two and three bits are to be no slower than four. */
const RECIPES = [
  { recipe: "Q4_K_S" },
  { recipe: "Q3_K_S", least: 1 },
  { recipe: "Q2_K", least: 1 },
  { recipe: "Q6_K" },
] as const;

export const ggufTypes = {
  async *watch(options: Options): AsyncGenerator<Reading> {
    const { threads, short, only } = options;
    const nameOf = (recipe: string) => `decode in ${recipe} to Q4_0`;
    const chosen = RECIPES.filter(
      ({ recipe }) => only.length === 0 || only.some((text) => nameOf(recipe).includes(text)),
    );
    if (chosen.length === 0) return;
    const size = { layers: short ? 1 : 16, tokens: options.tokens ?? (short ? 4 : 64) };
    const jobs = ["Q4_0", ...chosen.map(({ recipe }) => recipe)].map((recipe) => ({
      prepare: "ggufDecode",
      args: { recipe, ...size },
    }));
    const seconds = await turns(jobs, options.rounds ?? (short ? 1 : 7), threads);
    const speed = (list: readonly number[]) => `${(1 / median(list)).toFixed(1)} token/s`;
    const [base, ...others] = seconds as [number[], ...number[][]];
    for (const [i, own] of others.entries()) {
      const { recipe, ...bound } = chosen[i]!;
      const samples = ratios([base, own]);
      const value = median(samples);
      const missed = short ? [] : missedBound({ value, ...bound });
      const unit = `x the speed (${speed(own)}, ${speed(base)})`;
      yield { suite: "compress", name: nameOf(recipe), threads, unit, value, samples, missed, ...bound };
    }
  },
};
