// `dedup(options)`: of texts that are the same, or nearly, the first alone stays. Near copies are found by MinHash and bands, as
// datatrove finds them: first every text's signature, then the clusters, then the rows once more, which wait on disk meanwhile
// where they are many. Relies on the engine for signatures; compares no two texts themselves.

import { hash } from "node:crypto";
import { checkChoice, checkNames, checkNumber } from "../../options.ts";
import type { Chunk } from "../chunk.ts";
import type { Log } from "../log.ts";
import { Shelf } from "../shelf.ts";
import type { Step } from "../step.ts";
import { Sketches } from "./sketches.ts";

export interface DedupOptions {
  /** "minhash": near copies too (the default). "exact": texts that are equal, sign for sign. */
  method?: "minhash" | "exact";
  /**
   * From which part of common n-grams (Jaccard) two texts count as copies. Candidates are looked for by twice the bands then, and
   * compared by their whole signatures: what agrees in more than two standard errors less is no copy. Without it whatever shares
   * a band is one, which is datatrove's rule.
   */
  threshold?: number;
  /** Texts of similarity s share one of `bands` bands of `rows` values with probability 1 - (1 - s^rows)^bands. */
  bands?: number;
  /** Values of a signature in one band. */
  rows?: number;
  /** Words in a row that are one feature. A text with fewer has no copies. */
  ngram?: number;
  /** Of the hash functions: 1. */
  seed?: number;
  /** Of the texts: `text` by default. */
  column?: string;
}

const NAMES = ["method", "threshold", "bands", "rows", "ngram", "seed", "column"];
const NEAR = "near copy of an earlier text";

/** @see Broder 1997, "On the resemblance and containment of documents" */
export function dedup(options: DedupOptions = {}): Step {
  const { method, column, ...numbers } = readOptions("dedup", options);
  return {
    name: "dedup",
    options: { method, ...(method === "minhash" && numbers), ...(column !== "text" && { column }) },
    run: (input, log) => (method === "exact" ? exact(input, log, column) : near(input, log, options)),
  };
}

export function readOptions(call: string, options: DedupOptions) {
  checkNames(call, options, NAMES);
  const {
    method = "minhash",
    threshold,
    bands = 14,
    rows = 8,
    ngram = 5,
    seed = 1,
    column = "text",
  } = options;
  checkChoice(call, "method", method, ["minhash", "exact"]);
  if (threshold !== undefined) checkNumber(call, "threshold", threshold, { least: 0, above: true, most: 1 });
  for (const [name, value] of Object.entries({ bands, rows, ngram }))
    checkNumber(call, name, value, { least: 1, most: 1024, whole: true });
  checkNumber(call, "seed", seed, { least: 0, most: 2 ** 32 - 1, whole: true });
  return { method, bands, rows, ngram, seed, ...(threshold !== undefined && { threshold }), column };
}

/** Below which agreement of two signatures of `functions` values their texts are surely less alike than `threshold`. */
export function leastAgreement(threshold: number | undefined, functions: number): number {
  if (threshold === undefined) return 0;
  return Math.max(0, threshold - 2 * Math.sqrt((threshold * (1 - threshold)) / functions));
}

async function* exact(input: AsyncIterable<Chunk>, log: Log, column: string): AsyncGenerator<Chunk> {
  // 128 bits of each text: that two texts share them by chance is not to be expected of any corpus.
  const seen = new Set<string>();
  for await (const chunk of input) {
    const kept: number[] = [];
    for (const [i, text] of chunk.texts(column, "dedup").entries()) {
      const key = text === undefined ? undefined : hash("sha256", text, "base64").slice(0, 22);
      if (key !== undefined && seen.has(key)) {
        log.drop("same as an earlier text", text);
        continue;
      }
      if (key !== undefined) seen.add(key);
      kept.push(i);
    }
    yield chunk.pick(kept);
  }
}

async function* near(input: AsyncIterable<Chunk>, log: Log, options: DedupOptions): AsyncGenerator<Chunk> {
  const { column } = readOptions("dedup", options);
  for await (const { chunk, first, at } of clustered(input, options, log)) {
    const kept: number[] = [];
    const texts = chunk.texts(column, "dedup");
    for (let i = 0; i < chunk.length; i++)
      if (first[at + i] === at + i) kept.push(i);
      else log.drop(NEAR, texts[i]);
    yield chunk.pick(kept);
  }
}

/** The chunks once more, each row's cluster known: `first[at + i]` is the number of the first row of the cluster of row i. */
export async function* clustered(
  input: AsyncIterable<Chunk>,
  options: DedupOptions,
  log?: Log,
): AsyncGenerator<{ chunk: Chunk; at: number; first: Int32Array }> {
  const { bands, rows, ngram, seed, threshold, column } = readOptions("dedup", options);
  const sketches = new Sketches({ bands, rows, ngram, seed, compared: threshold !== undefined });
  const shelf = new Shelf();
  try {
    let [count, chunks] = [0, 0];
    let adding: Promise<void> | undefined;
    for await (const chunk of input) {
      const texts = chunk.texts(column, "dedup").map((text) => text ?? "");
      // The engine works on these while the next ones are read.
      await adding;
      adding = sketches.add(texts, count);
      adding.catch(() => {});
      await shelf.put(chunk);
      count += chunk.length;
      chunks++;
    }
    await adding;
    const first = await sketches.clusters(leastAgreement(threshold, bands * rows));
    sketches.release();
    log?.note("clusters", sizesOf(first));
    for (let i = 0, at = 0; i < chunks; i++) {
      const chunk = await shelf.take(i);
      yield { chunk, at, first };
      at += chunk.length;
    }
  } finally {
    sketches.release();
    await shelf.close();
  }
}

/** How many clusters of two texts or more there are, and how many of each size. */
export function sizesOf(first: Int32Array): { clusters: number; sizes: Record<number, number> } {
  const members = new Map<number, number>();
  for (const one of first) members.set(one, (members.get(one) ?? 0) + 1);
  const sizes: Record<number, number> = {};
  let clusters = 0;
  for (const size of members.values()) {
    if (size < 2) continue;
    clusters++;
    sizes[size] = (sizes[size] ?? 0) + 1;
  }
  return { clusters, sizes };
}
