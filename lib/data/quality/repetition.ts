// Gopher's rules against documents that say one thing over and over: lines, paragraphs and n-grams of words, by the part of the
// text's characters that they take. Reasons and arithmetic are datatrove's GopherRepetitionFilter.

import { checkNames } from "../../options.ts";
import { words as wordsIn } from "../../text/words.ts";
import type { Filter } from "../step.ts";
import { repeated, size, strip } from "./lines.ts";

/** Words in a row, and the part of a text that they may take. */
const TOP: [n: number, most: number][] = [
  [2, 0.2],
  [3, 0.18],
  [4, 0.16],
];
const DUPLICATED: [n: number, most: number][] = [
  [5, 0.15],
  [6, 0.14],
  [7, 0.13],
  [8, 0.12],
  [9, 0.11],
  [10, 0.1],
];
const MOST = { paragraphs: 0.3, paragraphCharacters: 0.2, lines: 0.3, lineCharacters: 0.2 };

/**
 * Gopher's rules against documents that say one thing over and over: lines, paragraphs and n-grams, by the share of the text
 * that they take.
 * @see Rae et al. 2021, "Scaling Language Models", table A1
 */
export function repetition(options: { column?: string } = {}): Filter {
  checkNames("quality.repetition", options, ["column"]);
  return {
    name: "repetition",
    options: { ...MOST, top: TOP, duplicated: DUPLICATED },
    ...(options.column !== undefined && { column: options.column }),
    judge,
  };
}

function judge(text: string): string | undefined {
  const characters = size(text);
  const paragraphs = strip(text).split(/\n{2,}/);
  const again = repeated(paragraphs);
  if (again.parts / paragraphs.length > MOST.paragraphs) return "dup_para_frac";
  if (again.characters / characters > MOST.paragraphCharacters) return "dup_para_char_frac";
  const lines = text.split(/\n+/);
  const twice = repeated(lines);
  if (twice.parts / lines.length > MOST.lines) return "dup_line_frac";
  if (twice.characters / characters > MOST.lineCharacters) return "dup_line_char_frac";
  const words = wordsIn(text);
  const sizes = words.map(size);
  for (const [n, most] of TOP)
    if (words.length >= n && topCharacters(words, sizes, n) / characters > most) return `top_${n}_gram`;
  for (const [n, most] of DUPLICATED)
    if (duplicatedCharacters(words, sizes, n) / characters > most) return `duplicated_${n}_n_grams`;
  return undefined;
}

const total = (sizes: readonly number[], from: number, n: number) => {
  let sum = 0;
  for (let i = from; i < from + n; i++) sum += sizes[i]!;
  return sum;
};

/** Characters of the most frequent n-gram, with the spaces inside it, times how often it stands; of equals the first one's. */
function topCharacters(words: readonly string[], sizes: readonly number[], n: number): number {
  const counts = new Map<string, number>();
  const firsts = new Map<string, number>();
  for (let i = 0; i + n <= words.length; i++) {
    const gram = words.slice(i, i + n).join(" ");
    const count = counts.get(gram);
    counts.set(gram, (count ?? 0) + 1);
    if (count === undefined) firsts.set(gram, i);
  }
  let [most, top] = [0, ""];
  for (const [gram, count] of counts) if (count > most) [most, top] = [count, gram];
  return (total(sizes, firsts.get(top)!, n) + n - 1) * most;
}

/** Characters of n-grams that stood before, none counted twice. */
function duplicatedCharacters(words: readonly string[], sizes: readonly number[], n: number): number {
  const seen = new Set<string>();
  let characters = 0;
  for (let i = 0; i + n <= words.length; ) {
    const gram = words.slice(i, i + n).join("");
    if (seen.has(gram)) {
      characters += total(sizes, i, n);
      i += n;
    } else {
      seen.add(gram);
      i++;
    }
  }
  return characters;
}
