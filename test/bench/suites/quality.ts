/**
 * `lensor bench quality`: what smaller caches are worth on real texts. Attention Matching's error at queries of the tokens that
 * follow the text, layer by layer and with as many keys a head, beside its authors' code on the same keys, values and queries
 * and beside the best of the methods that only leave keys out; and the KL divergence that whole caches come to.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { locate } from "../../../lib/model/registry.ts";
import { missedBound, type Reading } from "../figure.ts";
import type { Options } from "../options.ts";
import { Side } from "../side.ts";

const SELECT = ["hak", "omp", "ompFast"] as const;
const RATIOS = [10, 20, 50];
/** Of SmolLM2-135M. */
const LAYERS = [3, 15, 27];
const HEADS = { kvHeads: 3, headWidth: 64 } as const;
const GROUP = 3;
/** Of the reference's error, and of the best eviction's. */
const MOST = { reference: 1.02, eviction: 1 } as const;
const STORY = fileURLToPath(new URL("../../../notebooks/alice.txt", import.meta.url));

/** Of one turn: errors by method. */
type Found = Readonly<Record<string, number>>;
interface About {
  file: string;
  text: string;
  from: number;
  length: number;
  next: number;
  perHead: number;
}

export const quality = {
  async *watch(options: Options): AsyncGenerator<Reading> {
    const { path: file } = await locate(options.model);
    const { short, only, text } = options;
    const sizes = short ? { next: 64, perHead: 240 } : { next: 512, perHead: 4096 };
    for (const one of text.length ? text : [STORY]) {
      const about = { file, text: one, from: 0, length: options.context ?? (short ? 512 : 4096), ...sizes };
      const wanted = (name: string) => only.length === 0 || only.some((some) => name.includes(some));
      if (wanted("layer")) yield* layers(about, options);
      if (wanted("KL")) yield* caches(about, options);
    }
  },
};

async function* layers(about: About, options: Options): AsyncGenerator<Reading> {
  const { threads, short } = options;
  const layers = short ? LAYERS.slice(1, 2) : LAYERS;
  const ratios = short ? RATIOS.slice(0, 1) : RATIOS;
  const data = join(mkdtempSync(join(tmpdir(), "lensor-bench-")), "layer");
  const ours = await Side.ours(threads);
  const started = await Side.peer("matching", threads);
  const peer = typeof started === "string" ? undefined : started;
  try {
    const args = { ...about, layers, ratios, data };
    await ours.prepare({ prepare: "qualityOfLayers", args });
    const counts = { queries: GROUP * Math.ceil(about.perHead / GROUP), held: GROUP * about.next };
    await peer?.prepare({ prepare: "quality", args: { ...args, ...HEADS, ...counts, select: SELECT } });
    for (const layer of layers)
      for (const ratio of ratios) {
        const { found } = await ours.run();
        const theirs = (await peer?.run())?.found;
        yield* beside(`output error of layer ${layer}, ${placeOf(about, ratio)}`, found!, theirs, options);
      }
  } finally {
    ours.close();
    peer?.close();
    rmSync(dirname(data), { recursive: true, force: true });
  }
}

async function* caches(about: About, options: Options): AsyncGenerator<Reading> {
  const ratios = options.short ? RATIOS.slice(0, 1) : RATIOS;
  const side = await Side.ours(options.threads);
  try {
    await side.prepare({ prepare: "qualityOfCaches", args: { ...about, ratios } });
    for (const ratio of ratios) {
      const found: Record<string, number> = {};
      let turn = await side.run();
      for (; turn.count > 0; turn = await side.run()) Object.assign(found, turn.found);
      yield* beside(`KL to the full cache, ${placeOf(about, ratio)}`, found, undefined, options);
    }
  } finally {
    side.close();
  }
}

const placeOf = ({ text, length }: About, ratio: number) =>
  `${basename(text, ".txt")}, ${length} tokens, ${ratio}x`;

/** Each way to choose keys beside the reference's own of that name, and beside the best eviction. */
function* beside(
  name: string,
  found: Found,
  theirs: Found | undefined,
  { threads, short }: Options,
): Generator<Reading> {
  const others = Object.entries(found).filter(([method]) => !SELECT.some((select) => select === method));
  const [best, least] = others.reduce((a, b) => (b[1] < a[1] ? b : a));
  const reading = (select: string, who: string, to: number, most: number): Reading => {
    const value = found[select]! / to;
    const unit = `of ${who} (${found[select]!.toFixed(3)}, ${to.toFixed(3)})`;
    const missed = short ? [] : missedBound({ value, most });
    return {
      suite: "quality",
      name: `${select}: ${name}`,
      threads,
      unit,
      value,
      most,
      samples: [found[select]!, to],
      missed,
    };
  };
  for (const select of SELECT) {
    yield reading(select, `that of ${best}, the best that only leaves keys out`, least, MOST.eviction);
    if (theirs) yield reading(select, "the reference's", theirs[select]!, MOST.reference);
  }
}
