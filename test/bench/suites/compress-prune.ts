/**
 * Part of `lensor bench compress`: where leaving weights out pays. Decoding with n of m of each matrix's weights, and with
 * factors, beside the same model whole in f16, turn by turn: for which shapes and densities it is faster, and by how much.
 */
import { locate } from "../../../lib/model/registry.ts";
import { median, type Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import type { ThinArgs } from "../ours/prune.ts";
import { ratios, turns } from "../turns.ts";

const SHAPES = {
  "4 layers of 1024 x 4096": { layers: 4, width: 1024, heads: 16, kvHeads: 4, feedForward: 4096 },
  "2 layers of 2048 x 8192": { layers: 2, width: 2048, heads: 32, kvHeads: 8, feedForward: 8192 },
} as const;
/** What is left of the weights, and how. */
const WAYS: readonly [string, Pick<ThinArgs, "pattern" | "keep">][] = [
  ["2:4", { pattern: "2:4" }],
  ["1:4", { pattern: "1:4" }],
  ["1:8", { pattern: "1:8" }],
  ["factors of half the numbers", { keep: 0.5 }],
  ["factors of a quarter", { keep: 0.25 }],
];

export const thin = {
  async *watch(options: Options): AsyncGenerator<Reading> {
    const { short, threads, only } = options;
    const { path: file } = await locate(options.model);
    const tokens = short ? 4 : 64;
    const rounds = options.rounds ?? (short ? 1 : 5);
    const tiny = { layers: 1, width: 64, heads: 4, kvHeads: 2, feedForward: 128 };
    const models: [string, Pick<ThinArgs, "file" | "sizes">][] = short
      ? [["a layer of 64 x 128", { sizes: tiny }]]
      : [
          ["the model, 576 x 1536", { file }],
          ...Object.entries(SHAPES).map(([name, sizes]): [string, Pick<ThinArgs, "sizes">] => [
            name,
            { sizes },
          ]),
        ];
    for (const [model, of] of models)
      for (const [way, left] of WAYS) {
        const name = `decode with ${way} of ${model}`;
        if (only.length > 0 && !only.some((part) => name.includes(part))) continue;
        const jobs = [{}, left].map((one) => ({ prepare: "thinDecode", args: { ...of, ...one, tokens } }));
        const samples = ratios(await turns(jobs, rounds, threads));
        const unit = "x the speed of the same in f16";
        yield { suite: "compress", name, threads, unit, value: median(samples), samples, missed: [] };
      }
  },
};
