// C4's rules: lines that are no sentences go, and with too few of them left, the document. What is kept of a document is its good
// lines. Reasons and order are datatrove's C4QualityFilter, whose defaults these are.

import { checkNames, checkNumber } from "../../options.ts";
import { SPACE } from "../../text/word-rules.ts";
import { countSentences } from "../../text/words.ts";
import type { Filter } from "../step.ts";
import { linesOf, size, strip } from "./lines.ts";

export interface C4Options {
  /** The least sentences in the lines that are kept. */
  sentences?: number;
  /** The least words in a line. */
  wordsPerLine?: number;
  /** A line with a longer word goes. */
  wordLength?: number;
  /** Of the texts: `text` by default. */
  column?: string;
}

const CITATION = /\[\p{Nd}*\]|\[edit\]|\[citation needed\]/gu;
const END = /[.?!"']$/;
const POLICIES = [
  "terms of use",
  "privacy policy",
  "cookie policy",
  "uses cookies",
  "use of cookies",
  "use cookies",
];
const WORDS = new RegExp(`[^${SPACE}]+`, "gu");

/**
 * C4's rules: lines that are no sentences go, and with too few of them left, the document. What is kept of a document is its
 * good lines.
 * @see Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", section 2.2
 */
export function c4(options: C4Options = {}): Filter {
  checkNames("quality.c4", options, ["sentences", "wordsPerLine", "wordLength", "column"]);
  const { sentences = 5, wordsPerLine = 3, wordLength = 1000, column } = options;
  const numbers = { sentences, wordsPerLine, wordLength };
  for (const [name, value] of Object.entries(numbers)) checkNumber("quality.c4", name, value, { least: 0 });
  return {
    name: "c4",
    options: numbers,
    ...(column !== undefined && { column }),
    judge(text) {
      const kept: string[] = [];
      let found = 0;
      for (const raw of linesOf(text)) {
        const whole = strip(raw);
        const words = whole.match(WORDS) ?? [];
        if (words.some((word) => word.length > wordLength && size(word) > wordLength)) continue;
        const line = whole.replace(CITATION, "");
        if (!END.test(line.slice(-1)) || line.endsWith("...")) continue;
        if (words.length < wordsPerLine) continue;
        const lower = line.toLowerCase();
        if (lower.includes("lorem ipsum")) return "lorem_ipsum";
        if (lower.includes("javascript")) continue;
        if (line.includes("{")) return "curly_bracket";
        if (POLICIES.some((policy) => lower.includes(policy))) continue;
        found += countSentences(line);
        kept.push(line);
      }
      if (found < sentences) return "too_few_sentences";
      return { text: strip(kept.join("\n")) };
    },
  };
}
