// What is left of a text when two copies of it are compared: letters in lower case without accents, numbers as 0, no punctuation,
// single spaces. The rules are datatrove's (simplify_text), so that equal texts there are equal texts here. Never keeps a text.

import { SPACE } from "./word-rules.ts";

/** Signs that end a sentence, of any script: Unicode's, and those of Khmer. For a class of a regular expression with flag v. */
export const TERMINAL =
  "[\\p{Sentence_Terminal}\\u17d6\\u17d9\\u17da]--[\\u1b4e\\u1b4f\\u1b7f\\u2024\\u2cf9-\\u2cfb\\ufe12\\ufe15\\ufe16]";

// Signs of the web's usual scripts, and control characters.
const SIGNS =
  "!\\/—”:％１〈&\\(、━\\\\【#%「」，】；+\\^\\]~“《„';’\\{\\|∶´\\[=\\-`*．（–？！：$～«〉,><》\\)?）。…@_.\"\\}►»" +
  "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f";
/** Everything that makes no word: for a class of a regular expression with flag v. */
export const PUNCTUATION = `${SIGNS}[${TERMINAL}]`;

/** A character that a space takes the place of. */
export const PUNCTUATED = new RegExp(`^[${SIGNS}]$`, "v");
const SIGN = new RegExp(`[${SIGNS}]`, "gv");
const NUMBER = /\p{Nd}+(?:[.,،٫⎖⎗⎘]\p{Nd}+)?/gu;
const ENDS = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "gu");
const SPACES = new RegExp(`[${SPACE}]+`, "gu");

/** What becomes of a character that is neither a number nor a space nor punctuation, wherever it stands. */
export function simplifyCharacter(character: string): string {
  return character
    .toLowerCase()
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "");
}

/** @see datatrove 0.10, `datatrove.utils.text.simplify_text` */
export function simplify(text: string): string {
  return text
    .toLowerCase()
    .replace(NUMBER, "0")
    .replace(SIGN, " ")
    .replace(SPACES, " ")
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "")
    .replace(ENDS, "");
}
