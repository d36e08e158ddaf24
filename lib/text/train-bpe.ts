// `text.trainBPE(texts, { vocabulary })`: a tokenizer of one's own. Counts the words of all texts, learns merges, and gives what a
// model reads with. Holds each different word once, not the texts.

import { Dataset } from "../data/dataset.ts";
import { LensorError } from "../errors.ts";
import { checkChoice, checkNames, checkNumber, describe } from "../options.ts";
import { learnMerges } from "./bpe.ts";
import { GPT2, PRE_TOKENIZERS } from "./parts.ts";
import { Tokenizer } from "./tokenizer.ts";

export interface TrainBPEOptions {
  /** Tokens in all: special ones, 256 bytes, merges. Fewer where the texts have too few pairs. */
  vocabulary: number;
  /** Tokens of their own, in this order; the first one ends a text. */
  special?: readonly string[];
  /** How often a pair must stand to become a token. */
  frequency?: number;
  /** How text is cut before: "gpt-2", or "smollm", where every digit stands alone. */
  cut?: "gpt-2" | "smollm";
  /** Of the texts: `text` by default. */
  column?: string;
}

/** Different words that are held: rare ones go first where there are more. */
const MOST_WORDS = 4_000_000;

/**
 * A tokenizer of one's own: `text.trainBPE(texts, { vocabulary: 4096 })`. Counts the words of all texts, learns byte-level
 * BPE merges (Sennrich et al. 2016), and gives what a model reads with. Holds each different word once, not the texts.
 * @throws LensorError where the texts have no word, or the vocabulary no room for the bytes
 */
export async function trainBPE(
  texts: Dataset | Iterable<string>,
  options: TrainBPEOptions,
): Promise<Tokenizer> {
  const call = "text.trainBPE";
  checkNames(call, options, ["vocabulary", "special", "frequency", "cut", "column"]);
  const {
    vocabulary,
    special = ["<|endoftext|>"],
    frequency = 2,
    cut = "gpt-2",
    column = "text",
  } = options ?? {};
  checkNumber(call, "vocabulary", vocabulary, { least: 256 + special.length, most: 2 ** 22, whole: true });
  checkNumber(call, "frequency", frequency, { least: 0, whole: true });
  checkChoice(call, "cut", cut, ["gpt-2", "smollm"]);
  if (
    new Set(special).size !== special.length ||
    special.some((one) => typeof one !== "string" || one === "")
  )
    throw new LensorError(`${call}: special is wrong`, { expected: "different texts, none of them empty" });
  const counts = await countWords(texts, cut, column, call);
  if (counts.size === 0)
    throw new LensorError(`${call}: there is no text to learn from`, {
      expected: "a dataset or texts with words",
    });
  const { tokens, merges } = await learnMerges(counts, vocabulary - special.length, frequency);
  const ids = new Set(special.map((_, id) => id));
  return Tokenizer.fromParts({
    tokens: [...special, ...tokens],
    merges,
    pre: PRE_TOKENIZERS[cut]!,
    special: ids,
    added: ids,
    ...(special.length > 0 && { eos: 0 }),
  });
}

async function countWords(
  texts: Dataset | Iterable<string>,
  cut: NonNullable<TrainBPEOptions["cut"]>,
  column: string,
  call: string,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const pattern = new RegExp(GPT2, "gu");
  const count = (piece: string) => {
    for (const [word] of piece.matchAll(pattern)) counts.set(word, (counts.get(word) ?? 0) + 1);
    if (counts.size > MOST_WORDS) forgetRare(counts);
  };
  const read = (text: string) => {
    if (cut === "gpt-2") return count(text);
    for (const piece of text.split(/(\p{N})/u)) if (piece !== "") count(piece);
  };
  if (texts instanceof Dataset) {
    for await (const chunk of texts.chunks())
      for (const text of chunk.texts(column, call)) if (text !== undefined) read(text);
    return counts;
  }
  if (typeof texts === "string" || typeof texts?.[Symbol.iterator] !== "function")
    throw new LensorError(`${call} takes a dataset or a list of texts`, { got: describe(texts) });
  for (const text of texts) {
    if (typeof text !== "string")
      throw new LensorError(`${call}: one of the texts is none`, { got: describe(text) });
    read(text);
  }
  return counts;
}

function forgetRare(counts: Map<string, number>): void {
  for (let rare = 1; counts.size > MOST_WORDS / 2; rare++)
    for (const [word, count] of counts) if (count <= rare) counts.delete(word);
}
