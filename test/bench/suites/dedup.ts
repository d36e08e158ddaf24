/**
 * `lensor bench data --only dedup`: near copies found among documents of 1.3 kB, from texts in memory to what stays, against
 * datatrove at the same parameters (14 bands of 8, five words in a row) and the Rust library rensa; and how the cost grows.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Contest, median, missedBound, type Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { Side } from "../side.ts";

const DOCUMENTS = 20_000;
/** Datatrove reads some hundred in the time that a turn may take. */
const FEW = 300;
const WORDS =
  "the of and to in a is that for it was on with as be at by this had not are but from or have an they which one were her all she " +
  "there would their we him been has when who will no more if out so said what up its about into than them can only other new some " +
  "time could these two may then do first any my now such like our over man me even most made after also did many before must through " +
  "years where much your way well down should because each just those people too mr how little state good very make world still own " +
  "see men work long get here between both life being under never day same another know while last might us great old year off come " +
  "since against go came right used take three states himself few house use during without again place american around however home " +
  "small found mrs thought went say part once general high upon school every don't didn't can't 1,250 3.5 2021 example.com well-known";

/**
 * Texts with the words' frequencies of a language, sentences and paragraphs; one in ten is nearly an earlier one.
 * @param part Other texts of the same words.
 */
export function documents(count: number, seed = 1, part = 0): string[] {
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const common = WORDS.split(" ");
  const rare = Array.from({ length: 20_000 }, () =>
    Array.from(
      { length: 4 + Math.floor(6 * random()) },
      () => "etaoinshrdlucmfw"[Math.floor(16 * random())],
    ).join(""),
  );
  if (part > 0) state = part;
  const word = () =>
    random() < 0.6
      ? common[Math.floor(common.length * random() ** 2)]!
      : rare[Math.floor(rare.length * random() ** 2)]!;
  const texts: string[] = [];
  while (texts.length < count) {
    if (texts.length > 10 && random() < 0.1) {
      const words = texts[Math.floor(texts.length * random())]!.split(" ");
      for (let i = 0; i < 3; i++) words[Math.floor(words.length * random())] = word();
      texts.push(words.join(" "));
      continue;
    }
    let text = "";
    while (text.length < 1300) {
      const sentence = Array.from({ length: 6 + Math.floor(14 * random()) }, word).join(
        random() < 0.1 ? ", " : " ",
      );
      text += `${sentence[0]!.toUpperCase()}${sentence.slice(1)}.${random() < 0.15 ? "\n\n" : " "}`;
    }
    texts.push(text.trim());
  }
  return texts;
}

function written(count: number): string {
  const folder = mkdtempSync(join(tmpdir(), "lensor-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "documents.json");
  writeFileSync(path, JSON.stringify(documents(count)));
  return path;
}

export const dedup = {
  contests({ short }: Options): Contest[] {
    const file = written(short ? 500 : DOCUMENTS);
    const job = (prepare: string, few?: number) => ({ prepare, args: { file, ...(few && { few }) } });
    return [
      {
        name: "dedup",
        unit: "document/s",
        work: 1,
        ours: job("dedup"),
        peers: [
          { label: "all stages", script: "dedup_datatrove", job: job("dedup", FEW) },
          { label: "5-grams, R-MinHash", script: "dedup_rensa", job: job("grams") },
          { label: "words alone, R-MinHash", script: "dedup_rensa", job: job("words") },
        ],
        targets: short
          ? {}
          : { ratio: { "all stages": 100, "5-grams, R-MinHash": 1, "words alone, R-MinHash": 1 } },
      },
    ];
  },
  async *watch(options: Options): AsyncGenerator<Reading> {
    const name = "dedup growth";
    if (options.only.length > 0 && !options.only.some((text) => name.includes(text))) return;
    const [few, many] = options.short ? [200, 400] : [10_000, 40_000];
    const side = await Side.ours(options.threads);
    try {
      const rate = async (count: number) => {
        await side.prepare({ prepare: "dedup", args: { file: written(count) } });
        await side.run();
        const { seconds, count: done } = await side.run();
        return done / seconds;
      };
      const samples: number[] = [];
      for (let round = 0; round < (options.rounds ?? 3); round++)
        samples.push((await rate(few)) / (await rate(many)));
      const value = median(samples);
      const missed = options.short ? [] : missedBound({ value, most: 1.3 });
      const unit = `of the time for each document at a quarter of them (${many} documents)`;
      yield { suite: "data", name, threads: options.threads, unit, value, samples, missed, most: 1.3 };
    } finally {
      side.close();
    }
  },
};
