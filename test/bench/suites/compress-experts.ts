/**
 * Part of `lensor bench compress`: a layer of experts forward and back by the grouped product, against a loop over the experts in
 * PyTorch, and against the same loop of our own operations. The load is skewed: expert i is wanted 1 / (i + 1) as often.
 */
import type { Contest, Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { Side } from "../side.ts";

/** Experts, of each token, tokens, width, width inside. Small experts are what many of them make of a model. */
const SIZES = [
  { experts: 8, topK: 2, tokens: 128, width: 256, inside: 128 },
  { experts: 64, topK: 2, tokens: 512, width: 256, inside: 128 },
  { experts: 8, topK: 2, tokens: 512, width: 576, inside: 1536 },
  { experts: 64, topK: 2, tokens: 512, width: 576, inside: 192 },
] as const;
const LEAST = 2;
const TURNS = 7;

const jobs = ({ short }: Options) =>
  SIZES.slice(0, short ? 1 : undefined).flatMap((size) =>
    (["f32", "bf16"] as const).map((dtype) => {
      const { experts, topK, tokens, width, inside } = size;
      const name = `${experts} experts of ${width} x ${inside}, top ${topK}, ${tokens} tokens, ${dtype}`;
      return { name, args: { ...size, dtype } };
    }),
  );

export const experts = {
  contests(options: Options): Contest[] {
    return jobs(options).map(({ name, args }): Contest => {
      const { topK, tokens, width, inside, dtype } = args;
      return {
        name,
        unit: "GFLOP/s",
        // Three products, each forward and for two gradients.
        work: (3 * 3 * 2 * tokens * topK * width * inside) / 1e9,
        bound: { probe: dtype, each: 1e9 },
        ours: { prepare: "experts", args: { ...args, how: "grouped" } },
        peers: [{ label: "loop", script: "experts", job: { prepare: "experts", args } }],
        targets: options.short ? {} : { ratio: { loop: LEAST } },
      };
    });
  },
  async *watch(options: Options): AsyncGenerator<Reading> {
    for (const { name, args } of jobs(options)) {
      const label = `${name}: over our own loop`;
      if (options.only.length > 0 && !options.only.some((part) => label.includes(part))) continue;
      yield await overLoop(label, args, options);
    }
  },
};

/** Turn about in one process each, so that what else the machine does meets both. */
async function overLoop(name: string, args: object, { threads, short }: Options): Promise<Reading> {
  const sides = [await Side.ours(threads), await Side.ours(threads)] as const;
  try {
    for (const [i, how] of (["grouped", "loop"] as const).entries())
      await sides[i]!.prepare({ prepare: "experts", args: { ...args, how } });
    const samples: number[] = [];
    for (let turn = 0; turn < (short ? 2 : TURNS); turn++) {
      const [ours, loop] = [await sides[0].run(), await sides[1].run()];
      samples.push(loop.seconds / loop.count / (ours.seconds / ours.count));
    }
    const value = [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)]!;
    const missed = value < LEAST && !short ? [`${value.toFixed(2)}x, wanted ${LEAST}x`] : [];
    return { suite: "compress", name, threads, unit: "x", value, least: LEAST, samples, missed };
  } finally {
    for (const side of sides) side.close();
  }
}
