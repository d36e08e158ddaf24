// `decontaminate({ against })`: texts that share a row of words with what a model is to be tested on go. Rows are compared as
// datatrove compares them, in simplified words. Holds the reference in memory; a match is always looked at word by word.

import { createHash } from "node:crypto";
import { LensorError } from "../errors.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import { simplify } from "../text/simplify.ts";
import { words } from "../text/words.ts";
import { Dataset } from "./dataset.ts";
import type { Step } from "./step.ts";

export interface DecontaminateOptions {
  /** The texts of the test: a dataset, or texts. */
  against: Dataset | readonly string[];
  /** Words in a row that both must have: 12 by default. A reference text with fewer is never found. */
  ngram?: number;
  /** Of the texts: `text` by default. */
  column?: string;
}

export function decontaminate(options: DecontaminateOptions): Step {
  checkNames("decontaminate", options, ["against", "ngram", "column"]);
  const { against, ngram = 12, column = "text" } = options ?? {};
  checkNumber("decontaminate", "ngram", ngram, { least: 1, most: 1024, whole: true });
  const listed = Array.isArray(against) && against.every((text) => typeof text === "string");
  if (!(against instanceof Dataset) && !listed)
    throw new LensorError("decontaminate: against is wrong", {
      expected: "a dataset, or a list of texts",
      got: describe(against),
    });
  const reference =
    against instanceof Dataset
      ? { source: against.source.name, steps: against.steps.map(({ name, options }) => ({ name, options })) }
      : createHash("sha256").update(JSON.stringify(against)).digest("hex");
  return {
    name: "decontaminate",
    options: { against: reference, ngram, ...(column !== "text" && { column }) },
    opaque: against instanceof Dataset,
    async *run(input, log) {
      const index = await Reference.of(against, ngram, column);
      log.note("reference n-grams", index.size);
      for await (const chunk of input) {
        const kept: number[] = [];
        for (const [i, text] of chunk.texts(column, "decontaminate").entries()) {
          const shared = text === undefined ? undefined : index.sharedWith(text);
          if (shared === undefined) kept.push(i);
          else log.drop(`shares ${ngram} words in a row with the reference`, shared);
        }
        yield chunk.pick(kept);
      }
    },
  };
}

/** The rows of `ngram` words of some texts, by a hash of 53 bits. */
class Reference {
  readonly #texts: string[][] = [];
  /** Where a row of words stands: the text, and the word in it. */
  readonly #places = new Map<number, readonly [text: number, word: number]>();
  readonly #ngram: number;

  private constructor(ngram: number) {
    this.#ngram = ngram;
  }

  static async of(against: Dataset | readonly string[], ngram: number, column: string): Promise<Reference> {
    const index = new Reference(ngram);
    if (!(against instanceof Dataset)) {
      for (const text of against) index.#add(text);
      return index;
    }
    for await (const chunk of against.chunks())
      for (const text of chunk.texts(column, "decontaminate")) if (text !== undefined) index.#add(text);
    return index;
  }

  get size(): number {
    return this.#places.size;
  }

  #add(text: string): void {
    const all = words(simplify(text));
    if (all.length < this.#ngram) return;
    const number = this.#texts.push(all) - 1;
    for (const [word, key] of rows(all, this.#ngram).entries())
      if (!this.#places.has(key)) this.#places.set(key, [number, word]);
  }

  /** The first row of words that the reference has too. */
  sharedWith(text: string): string | undefined {
    const all = words(simplify(text));
    for (const [word, key] of rows(all, this.#ngram).entries()) {
      const place = this.#places.get(key);
      if (place === undefined) continue;
      const shared = all.slice(word, word + this.#ngram).join(" ");
      const [number, at] = place;
      if (this.#texts[number]!.slice(at, at + this.#ngram).join(" ") === shared) return shared;
    }
    return undefined;
  }
}

/** A hash of each n words in a row (FNV-1a of words, a polynomial of 2 x 32 bits over rows). */
function rows(all: readonly string[], n: number): number[] {
  const hashes = all.map((word) => {
    let hash = 0x811c9dc5;
    for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
    return hash;
  });
  const keys: number[] = [];
  for (let at = 0; at + n <= all.length; at++) {
    let [low, high] = [0, 0];
    for (let i = at; i < at + n; i++) {
      low = Math.imul(low, 0x5bd1e995) + hashes[i]!;
      high = Math.imul(high ^ hashes[i]!, 0x85ebca6b);
      high ^= high >>> 15;
    }
    keys.push((low >>> 0) + (high & 0x1fffff) * 2 ** 32);
  }
  return keys;
}
