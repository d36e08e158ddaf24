/** Part of `lensor bench compress`: decoding with the base that smaller models are held against, the model's own 4-bit file. */
import type { Contest } from "../figure.ts";
import type { Options } from "../options.ts";
import { decode as engine } from "./generate.ts";

const CONTEXT = 64;

export const decode = {
  async contests(options: Options): Promise<Contest[]> {
    const contests = await engine.contests({ ...options, context: options.context ?? CONTEXT });
    return contests.map((contest) => ({ ...contest, name: `decode of the base: ${contest.name}` }));
  },
};
