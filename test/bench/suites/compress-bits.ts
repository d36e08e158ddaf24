/**
 * Part of `lensor bench compress`: decoding in 4, 3 and 2 bits beside each other, from groups of 64. The first is in groups of 32,
 * which are the blocks of Q4_0; what the others are held to is 4 bits in groups like theirs.
 */
import { locate } from "../../../lib/model/registry.ts";
import { median, missedBound, type Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { ratios, turns } from "../turns.ts";
import { textIds } from "./generate.ts";

const CONTEXT = 64;
const FORMATS = [
  { bits: 4, group: 32 },
  { bits: 4, group: 64 },
  { bits: 3, group: 64 },
  { bits: 2, group: 64 },
] as const;
/** Of the formats, what the others are held to. */
const HELD = 1;

export const bits = {
  async *watch(options: Options): AsyncGenerator<Reading> {
    const { only, short, threads, context, tokens } = options;
    const name = "decode in fewer bits";
    if (only.length > 0 && !only.some((text) => name.includes(text))) return;
    const { path: file } = await locate(options.model);
    const args = { file, prompt: textIds(context ?? CONTEXT), tokens: tokens ?? (short ? 16 : 128) };
    const jobs = FORMATS.map((rounded) => ({ prepare: "decode", args: { ...args, rounded } }));
    const seconds = await turns(jobs, options.rounds ?? (short ? 1 : 7), threads);
    for (const [i, { bits, group }] of FORMATS.entries()) {
      if (i === HELD) continue;
      const samples = ratios([seconds[HELD]!, seconds[i]!]);
      const value = median(samples);
      const speeds = [i, HELD].map((one) => (1 / median(seconds[one]!)).toFixed(1));
      const bound = bits < 4 ? { least: 1 } : {};
      yield {
        ...{ suite: "compress", name: `${name}: ${bits} bits, groups of ${group}`, threads, value, samples },
        unit: `of the speed of 4 bits in groups of 64 (${speeds[0]} and ${speeds[1]} token/s)`,
        missed: short ? [] : missedBound({ value, ...bound }),
        ...bound,
      };
    }
  },
};
