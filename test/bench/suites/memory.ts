/**
 * `lensor bench memory`: long loops of ours hold no more at their end than near their beginning, and attention's own memory
 * grows with the tokens, not with their square.
 */
import { locate } from "../../../lib/model/registry.ts";
import type { Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { type Job, Side, type Turn } from "../side.ts";

/** Of the last tenth's resident memory to the second's. */
const MOST = 1.02;
/** Heads of SmolLM2-135M. */
const ATTENTION = { heads: 9, kvHeads: 3, width: 64 } as const;

export const memory = {
  async *watch(options: Options): AsyncGenerator<Reading> {
    for (const dtype of ["f32", "bf16"] as const) yield await attention(dtype, options);
    const steps = options.steps ?? (options.short ? 500 : 10_000);
    yield await flat(`${steps} steps of a small network`, options, {
      prepare: "smallSteps",
      args: { steps: Math.ceil(steps / 10) },
    });
    const { path: file } = await locate(options.model);
    const tokens = options.tokens ?? (options.short ? 500 : 20_000);
    yield await flat(`${tokens} generated tokens`, options, {
      prepare: "manyTokens",
      args: { file, tokens: Math.ceil(tokens / 10) },
    });
  },
};

async function flat(name: string, { threads, short }: Options, job: Job): Promise<Reading> {
  const side = await Side.ours(threads);
  try {
    await side.prepare(job);
    const turns: Turn[] = [];
    for (let tenth = 0; tenth < 10; tenth++) turns.push(await side.run());
    const samples = turns.map(({ resident }) => resident!.all / 1e6);
    const value = samples[9]! / samples[1]!;
    const missed = value > MOST && !short ? [`grew to ${value.toFixed(3)}x, wanted ${MOST}x at most`] : [];
    const heap = turns.map(({ resident }) => resident!.heap / 1e6);
    const grown = (list: number[]) => `${list[1]!.toFixed(0)} to ${list[9]!.toFixed(0)} MB`;
    const unit = `x from the second tenth to the last (${grown(samples)}, of which JavaScript's heap ${grown(heap)})`;
    return { suite: "memory", name, threads, unit, value, most: MOST, samples, missed };
  } finally {
    side.close();
  }
}

/** What attention and its gradient hold beside their tensors, from a length to one sixteen times as long. */
async function attention(dtype: "f32" | "bf16", { threads, short }: Options): Promise<Reading> {
  const lengths = [1, 4, 16].map((by) => by * (short ? 128 : 1024));
  const side = await Side.ours(threads);
  try {
    const samples: number[] = [];
    for (const T of lengths) {
      await side.prepare({ prepare: "attentionMemory", args: { ...ATTENTION, T, dtype } });
      samples.push((await side.run()).extraBytes! / 1e6);
    }
    const [value, most] = [samples[2]! / samples[0]!, 16];
    const missed = value > most ? [`grew to ${value.toFixed(2)}x, wanted ${most}x at most`] : [];
    const each = samples.map((megabytes) => megabytes.toFixed(1)).join(", ");
    const unit = `x for 16x the tokens (${each} MB beside the tensors at ${lengths.join(", ")})`;
    return {
      suite: "memory",
      name: `attention in ${dtype} and back`,
      threads,
      unit,
      value,
      most,
      samples,
      missed,
    };
  } finally {
    side.close();
  }
}
