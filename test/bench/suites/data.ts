/**
 * `lensor bench data`: tokenization against the Rust library, near copies (suites/dedup.ts), and a corpus read, curated and
 * tokenized from files: that the time for each megabyte stays as the corpus grows, and what is resident meanwhile.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readGguf } from "../../../lib/model/gguf.ts";
import { locate } from "../../../lib/model/registry.ts";
import { tokenizerJson } from "../../../lib/text/parts.ts";
import { Tokenizer } from "../../../lib/text/tokenizer.ts";
import { type Contest, missedBound, type Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { root, Side } from "../side.ts";
import { dedup, documents } from "./dedup.ts";

/** Of the corpus for the growth, in megabytes; the last is ten times the first, and a hundred times with --steps 100. */
const SIZES = [10, 100] as const;
/** For the memory. */
const LARGE = 2000;

export const data = {
  rounds: 5,
  async contests(options: Options): Promise<Contest[]> {
    return [...dedup.contests(options), await tokenization(options)];
  },
  async *watch(options: Options): AsyncGenerator<Reading> {
    const { only, short, threads } = options;
    const wanted = (name: string) => only.length === 0 || only.some((text) => name.includes(text));
    yield* dedup.watch(options);
    const { path: model } = await locate(options.model);
    if (wanted("pipeline growth")) {
      const [few, many] = short ? [1, 2] : [SIZES[0], SIZES[0] * (options.steps ?? SIZES[1] / SIZES[0])];
      const samples = [
        (await piped(few, model, threads)).perMegabyte,
        (await piped(many, model, threads)).perMegabyte,
      ];
      const value = samples[1]! / samples[0]!;
      const unit = `of the time for each megabyte at ${few} MB (${many} MB)`;
      const missed = short ? [] : missedBound({ value, most: 1.3 });
      yield { suite: "data", name: "pipeline growth", threads, unit, value, samples, missed, most: 1.3 };
    }
    if (wanted("pipeline memory")) {
      const size = short ? 5 : LARGE;
      const { peakBytes } = await piped(size, model, threads);
      const value = peakBytes / 1e9;
      const missed = short ? [] : missedBound({ value, most: 1 });
      const unit = `GB resident at most, ${size} MB read, curated and tokenized`;
      yield {
        suite: "data",
        name: "pipeline memory",
        threads,
        unit,
        value,
        samples: [value],
        missed,
        most: 1,
      };
    }
  },
};

/**
 * Natural text and code, in pieces of some lines: each side from texts in memory to lists of ids. Both have read them before: what
 * a side remembers of words, it has.
 */
async function tokenization({ model, short }: Options): Promise<Contest> {
  const tokenizer = Tokenizer.fromGguf(await readGguf((await locate(model)).path));
  const folder = temporary();
  const sources = [
    "notebooks/alice.txt",
    "README.md",
    "package-lock.json",
    "lib/tensor/tensor.ts",
    "lib/native.ts",
  ];
  const texts = sources
    .flatMap((path) => pieces(readFileSync(join(root, path), "utf8")))
    .concat(documents(500));
  const file = join(folder, "texts.json");
  writeFileSync(file, JSON.stringify(short ? texts.slice(0, 50) : [...texts, ...texts, ...texts]));
  const vocabulary = join(folder, "tokenizer.json");
  writeFileSync(vocabulary, JSON.stringify(tokenizerJson(tokenizer.parts)));
  const { path } = await locate(model);
  return {
    name: "tokenization",
    unit: "MB/s",
    work: 1e-6,
    ours: { prepare: "tokenization", args: { file, model: path } },
    peers: [
      {
        label: "encode_batch_fast",
        script: "tokens",
        job: { prepare: "tokenization", args: { file, vocabulary } },
      },
    ],
    targets: short ? {} : { ratio: { "": 1 } },
  };
}

function pieces(text: string): string[] {
  const lines = text.split("\n");
  return Array.from({ length: Math.ceil(lines.length / 25) }, (_, i) =>
    lines.slice(25 * i, 25 * (i + 1)).join("\n"),
  );
}

/** A corpus of so many megabytes through the whole pipeline, in a process of its own. */
async function piped(megabytes: number, model: string, threads: number) {
  const folder = temporary();
  const side = await Side.ours(threads);
  try {
    const path = join(folder, "corpus.jsonl");
    corpus(path, megabytes);
    await side.prepare({ prepare: "pipeline", args: { path, model } });
    const { seconds, peakBytes } = await side.run();
    return { perMegabyte: seconds / megabytes, peakBytes };
  } finally {
    side.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Documents in other words every time, one of ten nearly an earlier one. */
function corpus(path: string, megabytes: number): void {
  const file = openSync(path, "w");
  for (let bytes = 0, part = 1; bytes < megabytes * 1e6; part++)
    bytes += writeSync(
      file,
      `${documents(700, 1, part)
        .map((text) => JSON.stringify({ text }))
        .join("\n")}\n`,
    );
  closeSync(file);
}

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "lensor-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
