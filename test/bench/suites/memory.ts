/** `lensor bench memory`: long loops of ours hold no more at their end than near their beginning. */
import { locate } from "../../../lib/model/registry.ts";
import type { Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { type Job, Side, type Turn } from "../side.ts";

/** Of the last tenth's resident memory to the second's. */
const MOST = 1.02;

export const memory = {
  async *watch(options: Options): AsyncGenerator<Reading> {
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
