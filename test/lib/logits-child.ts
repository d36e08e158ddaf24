/**
 * Prints fingerprints of one prompt's logits, read in several ways, as one JSON line: parity-bits.test.ts compares them
 * between processes, since the instruction set (LENSOR_CPU) and the threads (LENSOR_THREADS) are chosen when one starts.
 */
import { createHash } from "node:crypto";
import { type Cache, hub, type Model } from "../../lib/index.ts";

export interface Request {
  ids: number[];
  modes: ("exact" | "fast")[];
  /** Lengths of the parts in which the prompt is read, one list a way of cutting it. */
  cuts: Record<string, number[]>;
  /** Ids whose exact logits are printed, for comparison with the reference. */
  columns?: number[];
}

export interface Fingerprints {
  /** mode -> way of cutting -> SHA-256 of the logits of every position. */
  hashes: Record<string, Record<string, string>>;
  values: number[][];
}

async function read(model: Model, ids: number[], cut: number[], compute: "exact" | "fast") {
  const rows: Float32Array[] = [];
  let cache: Cache | undefined;
  for (let at = 0, i = 0; at < ids.length; i++) {
    const part = ids.slice(at, at + (cut[Math.min(i, cut.length - 1)] ?? ids.length));
    at += part.length;
    const { logits } = await model.forward(part, { compute, cache });
    rows.push((await logits.data()) as Float32Array);
    logits.dispose();
    // Reading with a cache continues it; the first part makes it, where others follow.
    if (at < ids.length) cache ??= await model.prefill(part, { compute });
  }
  return rows;
}

async function main({ ids, modes, cuts, columns = [] }: Request): Promise<Fingerprints> {
  const model = await hub.load("smollm2-135m-instruct");
  const hashes: Fingerprints["hashes"] = {};
  for (const compute of modes) {
    const byCut: Record<string, string> = {};
    for (const [name, cut] of Object.entries(cuts)) {
      const hash = createHash("sha256");
      for (const part of await read(model, ids, cut, compute)) hash.update(part);
      byCut[name] = hash.digest("hex");
    }
    // No cache at all: the plain call must give the same bits.
    const { logits } = await model.forward(ids, { compute });
    byCut.plain = createHash("sha256")
      .update((await logits.data()) as Float32Array)
      .digest("hex");
    hashes[compute] = byCut;
  }
  if (columns.length === 0) return { hashes, values: [] };
  const { logits } = await model.forward(ids);
  const data = (await logits.data()) as Float32Array;
  const width = data.length / ids.length;
  const values = ids.map((_, t) => columns.map((column) => data[t * width + column]!));
  return { hashes, values };
}

const answer = await main(JSON.parse(process.argv[2] ?? "") as Request);
process.stdout.write(`\nanswer ${JSON.stringify(answer)}\n`);
