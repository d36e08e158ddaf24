// Gopher's quality rules: is a document long enough, of words of an ordinary length, not of signs, lists or broken lines, and
// in sentences. Reasons and arithmetic are datatrove's GopherQualityFilter, whose defaults these are.

import { checkNames, checkNumber } from "../../options.ts";
import { PUNCTUATION } from "../../text/simplify.ts";
import { words as wordsIn } from "../../text/words.ts";
import type { Filter } from "../step.ts";
import { linesOf, occurrences, size, stripBack, stripFront } from "./lines.ts";

export interface GopherOptions {
  /** Words that are not punctuation alone. */
  words?: readonly [least: number, most: number];
  /** Their mean length in characters. */
  wordLength?: readonly [least: number, most: number];
  /** `#` for each word, and ellipses for each word. */
  symbols?: number;
  /** The part of lines that begin as points of a list. */
  bullets?: number;
  /** The part of lines that end in an ellipsis. */
  ellipses?: number;
  /** The least part of words with a letter in them. */
  alphabetic?: number;
  /** How many different ones of the, be, to, of, and, that, have, with. */
  stopWords?: number;
  /** Of the texts: `text` by default. */
  column?: string;
}

const STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"];
const WORD = new RegExp(`[^${PUNCTUATION}]`, "v");
const LETTER = /\p{L}/u;

/**
 * Gopher's rules: long enough, of words of an ordinary length, not of signs, lists or broken lines, and in sentences.
 * @see Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", section A.1.1
 */
export function gopher(options: GopherOptions = {}): Filter {
  const names = [
    "words",
    "wordLength",
    "symbols",
    "bullets",
    "ellipses",
    "alphabetic",
    "stopWords",
    "column",
  ];
  checkNames("quality.gopher", options, names);
  const { words = [50, 100_000], wordLength = [3, 10], symbols = 0.1, bullets = 0.9 } = options;
  const { ellipses = 0.3, alphabetic = 0.8, stopWords = 2, column } = options;
  const numbers = { symbols, bullets, ellipses, alphabetic, stopWords };
  for (const [name, value] of Object.entries(numbers))
    checkNumber("quality.gopher", name, value, { least: 0 });
  for (const [name, range] of Object.entries({ words, wordLength }))
    for (const end of range) checkNumber("quality.gopher", name, end, { least: 0 });
  return {
    name: "gopher",
    options: { words, wordLength, ...numbers },
    ...(column !== undefined && { column }),
    judge(text) {
      const all = wordsIn(text);
      const told = all.filter((word) => WORD.test(word));
      if (told.length < words[0]) return "gopher_short_doc";
      if (told.length > words[1]) return "gopher_long_doc";
      const length = told.reduce((sum, word) => sum + size(word), 0) / told.length;
      if (length < wordLength[0]) return "gopher_below_avg_threshold";
      if (length > wordLength[1]) return "gopher_above_avg_threshold";
      if (occurrences(text, "#") / all.length > symbols) return "gopher_too_many_hashes";
      const dots = occurrences(text, "...") + occurrences(text, "…");
      if (dots / all.length > symbols) return "gopher_too_many_ellipsis";
      const lines = linesOf(text);
      const part = (is: (line: string) => boolean) => lines.filter(is).length / lines.length;
      if (part((line) => /^[•-]/.test(stripFront(line))) > bullets) return "gopher_too_many_bullets";
      if (part((line) => /(?:\.\.\.|…)$/.test(stripBack(line).slice(-3))) > ellipses)
        return "gopher_too_many_end_ellipsis";
      if (all.filter((word) => LETTER.test(word)).length / all.length < alphabetic)
        return "gopher_below_alpha_threshold";
      const there = new Set(all);
      if (STOP_WORDS.filter((word) => there.has(word)).length < stopWords) return "gopher_enough_stop_words";
      return undefined;
    },
  };
}
