// Kinds of tokens that a reader knows at sight, for asking what an expert is for.

export const TYPES = ["word", "word's end", "number", "punctuation", "space", "other"] as const;
export type TokenType = (typeof TYPES)[number];

/** A token that begins with a space or a capital begins a word; other letters go on with one. */
export function tokenType(token: string): TokenType {
  if (/^\s+$/u.test(token)) return "space";
  if (/^\s*\p{N}+$/u.test(token)) return "number";
  if (/^\s*[\p{P}\p{S}]+\s*$/u.test(token)) return "punctuation";
  if (/^(\s\p{L}|\p{Lu})/u.test(token)) return "word";
  if (/^\p{L}/u.test(token)) return "word's end";
  return "other";
}
