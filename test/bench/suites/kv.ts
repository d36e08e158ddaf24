/**
 * `lensor bench kv`: what it costs to make a cache smaller, and what a smaller one is worth. One layer by Attention Matching
 * against the reference; a whole cache against the reading that made it; decoding from it; how cost grows with the text; and
 * what looking at a layer's maps adds to a pass.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { locate } from "../../../lib/model/registry.ts";
import { type Contest, median, missedBound, type Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { Side } from "../side.ts";
import { ratios, turns } from "../turns.ts";
import { textIds } from "./generate.ts";

const RATIO = 50;
/** Heads of one layer of SmolLM2-135M, and how many reference queries each KV head is fitted to. */
const LAYER = { layer: 15, heads: 9, kvHeads: 3, headWidth: 64 } as const;
const QUERIES = 4096;
/** Nearly all of the model's context: a few tokens are left for what is decoded. */
const LONG = 8000;
/** How much of the reference's speed at least. */
const RATIOS = { hak: 6, ompFast: 10 } as const;

export const kv = {
  rounds: 5,
  async contests({ context, model, short }: Options): Promise<Contest[]> {
    const { path: file } = await locate(model);
    const length = context ?? (short ? 512 : LONG);
    const queries = short ? 240 : QUERIES;
    const data = join(mkdtempSync(join(tmpdir(), "lensor-bench-")), "layer.f32");
    process.once("exit", () => rmSync(dirname(data), { recursive: true, force: true }));
    return (["hak", "ompFast"] as const).map((select): Contest => {
      const keys = Math.floor(length / RATIO);
      const job = { prepare: "matching", args: { ...LAYER, file, length, keys, queries, select, data } };
      return {
        name: `one layer by ${select}, ${length} tokens, ${RATIO}x, ${queries} queries a head`,
        unit: "layer/s",
        work: 1,
        ours: job,
        peers: [{ label: "", script: "matching", job }],
        targets: short ? {} : { ratio: { "": RATIOS[select] } },
      };
    });
  },
  async *watch(options: Options): AsyncGenerator<Reading> {
    const { path: file } = await locate(options.model);
    const T = options.context ?? (options.short ? 512 : LONG);
    const wanted = (name: string) =>
      options.only.length === 0 || options.only.some((text) => name.includes(text));
    for (const { name, read } of READINGS)
      if (wanted(name)) for await (const one of read(name, file, T, options)) yield one;
  },
};

type Read = (name: string, file: string, T: number, options: Options) => AsyncGenerator<Reading>;
const READINGS: readonly { name: string; read: Read }[] = [
  { name: "whole cache by HAK", read: whole },
  { name: "decode", read: decoding },
  { name: "trace with maps of one layer", read: tracing },
  { name: "growth", read: growth },
];

function reading(
  { threads, short }: Options,
  name: string,
  unit: string,
  samples: number[],
  bound: { most?: number; least?: number },
): Reading {
  const value = median(samples);
  const missed = short ? [] : missedBound({ value, ...bound });
  return { suite: "kv", name, threads, unit, value, samples, missed, ...bound };
}

async function* whole(name: string, file: string, T: number, options: Options): AsyncGenerator<Reading> {
  const args = {
    file,
    length: T,
    ratio: options.short ? 10 : RATIO,
    perHead: options.short ? 64 : 1024,
  };
  const jobs = ["kvWhole", "kvPrefill"].map((prepare) => ({ prepare, args }));
  const seconds = await turns(jobs, options.rounds ?? (options.short ? 1 : 3), options.threads);
  const each = seconds.map((list) => `${median(list).toFixed(2)} s`);
  const unit = `of the prefill's time (${each[0]} of ${each[1]}, ${T} tokens, ${args.perHead} queries a KV head)`;
  yield reading(options, `${name}, ${args.ratio}x`, unit, ratios(seconds), { most: 0.2 });
}

async function* decoding(name: string, file: string, T: number, options: Options): AsyncGenerator<Reading> {
  const ratio = options.short ? 10 : RATIO;
  const base = { file, length: T, tokens: options.tokens ?? (options.short ? 8 : 64) };
  const jobs = [
    { prepare: "kvDecode", args: { ...base, ratio } },
    { prepare: "kvDecode", args: { ...base, length: Math.round(T / ratio) } },
    { prepare: "kvDecode", args: base },
  ];
  const rounds = options.rounds ?? (options.short ? 1 : 5);
  const [small, native, full] = (await turns(jobs, rounds, options.threads)) as [
    number[],
    number[],
    number[],
  ];
  const speed = (list: number[]) => `${(1 / median(list)).toFixed(1)} token/s`;
  const from = `a cache of ${T} tokens at ${ratio}x`;
  yield reading(
    options,
    `${name} from ${from}, to a native one of ${Math.round(T / ratio)} tokens`,
    `x the speed (${speed(small)}, ${speed(native)})`,
    ratios([native, small]),
    { least: 0.85 },
  );
  yield reading(
    options,
    `${name} from ${from}, to the full one`,
    `x the speed (${speed(small)}, ${speed(full)})`,
    ratios([full, small]),
    { least: 2 },
  );
}

async function* tracing(name: string, file: string, T: number, options: Options): AsyncGenerator<Reading> {
  const prompt = textIds(options.short ? 64 : Math.min(T, 1024));
  const jobs = [{ layer: 12 }, {}].map((which) => ({ prepare: "look", args: { file, prompt, ...which } }));
  const rounds = options.rounds ?? (options.short ? 1 : 5);
  const seconds = await turns(jobs, rounds, options.threads);
  const unit = `x a forward pass of ${prompt.length} tokens`;
  yield reading(options, name, unit, ratios(seconds), { most: 1.3 });
}

/**
 * The exponent e of cost = T^e from the shortest text to the longest, one layer, so many queries whatever the length. OMP's
 * is that of cost / t, t the keys that stay, since its cost is at most t T n.
 */
async function* growth(name: string, file: string, _T: number, options: Options): AsyncGenerator<Reading> {
  const lengths = options.short ? [256, 1024] : [1024, 2048, 4096, 8192, 16384];
  const queries = options.short ? 64 : 1024;
  for (const method of ["streaming", "snapKV", "hak", "ompFast"] as const) {
    const side = await Side.ours(options.threads);
    try {
      const seconds: number[] = [];
      for (const T of lengths) {
        await side.prepare({
          prepare: "kvGrowth",
          args: { ...LAYER, file, T, ratio: RATIO / (options.short ? 5 : 1), queries, method },
        });
        await side.run();
        const rounds = options.rounds ?? (options.short ? 1 : 3);
        const samples: number[] = [];
        // What takes a millisecond is repeated: the least of many is the method's, the rest is the machine's.
        for (let spent = 0; samples.length < rounds || (spent < 0.5 && samples.length < 50); ) {
          samples.push((await side.run()).seconds);
          spent += samples.at(-1)!;
        }
        seconds.push(Math.min(...samples));
      }
      const grown = (by: (i: number) => number) =>
        Math.log(by(lengths.length - 1) / by(0)) / Math.log(lengths.at(-1)! / lengths[0]!);
      const value = grown((i) => (method === "ompFast" ? seconds[i]! / lengths[i]! : seconds[i]!));
      const each = seconds.map((one, i) => `${lengths[i]}: ${(1000 * one).toFixed(1)} ms`).join(", ");
      const what = method === "ompFast" ? "of the cost a kept key" : "of the cost";
      const most = 1.1;
      yield {
        ...{ suite: "kv", name: `${name} of ${method}`, threads: options.threads, value, most },
        unit: `is the exponent ${what} in the text's length (${each})`,
        samples: seconds,
        missed: options.short ? [] : missedBound({ value, most }),
      };
    } finally {
      side.close();
    }
  }
}
