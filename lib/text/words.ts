// Text as words and sentences, as spaCy's blank English pipeline cuts them: what datatrove's filters count. Relies on
// word-rules.ts for what is known of English; remembers spellings it has met, up to a bound. Never changes a text.

import { INFIX, PREFIX, SENTENCE_ENDS, SPACE, SPECIAL, SUFFIX, URL_ALONE, URL_SCHEME } from "./word-rules.ts";

const CHUNKS = new RegExp(`[^${SPACE}]+`, "gu");
// Two spaces and more, or one that is no space bar: such a run is a token of its own, though no word.
const IS_SPACE = new RegExp(`^[${SPACE}]`, "u");
const RUNS = new RegExp(`[^${SPACE}]+|[${SPACE}]+`, "gu");
const MOST_REMEMBERED = 1 << 18;
const LONGEST_REMEMBERED = 64;
const LONGEST_SPECIAL = 16;

const remembered = new Map<string, readonly string[]>();

/**
 * The words of a text, punctuation marks being words of their own: `words("Don't!")` is `["Do", "n't", "!"]`.
 * @see spaCy 3, `spacy.blank("en").tokenizer`
 */
export function words(text: string): string[] {
  const found: string[] = [];
  for (const chunk of text.match(CHUNKS) ?? []) for (const word of wordsOf(chunk)) found.push(word);
  return found;
}

/** The words of what stands between two white spaces. */
export function wordsOf(chunk: string): readonly string[] {
  if (chunk.length > LONGEST_REMEMBERED) return joined(split(chunk, true));
  const known = remembered.get(chunk);
  if (known) return known;
  const found = joined(split(chunk, true));
  if (remembered.size >= MOST_REMEMBERED) remembered.clear();
  remembered.set(chunk, found);
  return found;
}

/**
 * How many sentences a text has: one begins at the first word that is neither punctuation nor an end after an end.
 * @see spaCy 3, the `sentencizer` component
 */
export function countSentences(text: string): number {
  let sentences = 0;
  let ended = true;
  const see = (word: string) => {
    const end = SENTENCE_ENDS.test(word);
    if (sentences === 0 || (ended && !end && !/^\p{P}+$/u.test(word))) {
      sentences++;
      ended = end;
    } else if (end) ended = true;
  };
  let at = 0;
  for (const [run] of text.matchAll(RUNS)) {
    // A single space bar between words, and the first one of a longer run behind a word, belong to the word before.
    if (!IS_SPACE.test(run)) for (const word of wordsOf(run)) see(word);
    else if (at === 0 || run[0] !== " " || run.length > 1) see(" ");
    at += run.length;
  }
  return sentences;
}

/** Without `special`: by the rules alone. */
function split(chunk: string, special: boolean): string[] {
  const known = special ? specialOf : () => undefined;
  const whole = known(chunk);
  if (whole) return [...whole];
  const front: string[] = [];
  const back: string[] = [];
  let rest = chunk;
  for (let size = -1; rest && rest.length !== size && !known(rest); ) {
    size = rest.length;
    const prefix = PREFIX.exec(rest)?.[0] ?? "";
    const behind = rest.slice(prefix.length);
    if (prefix && behind && known(behind)) {
      front.push(prefix);
      rest = behind;
      break;
    }
    const suffix = suffixOf(behind);
    const before = suffix ? rest.slice(0, -suffix.length) : rest;
    if (suffix && before && known(before)) {
      back.push(suffix);
      rest = before;
      break;
    }
    if (prefix) front.push(prefix);
    if (suffix && (!prefix || prefix.length + suffix.length <= rest.length)) {
      back.push(suffix);
      rest = rest.slice(prefix.length, -suffix.length);
    } else if (prefix) rest = behind;
  }
  return [...front, ...middle(rest, known), ...back.reverse()];
}

/** Looks no further back than a suffix can reach: a long row of signs must not cost the square of its length. */
function suffixOf(text: string): string {
  const found = SUFFIX.exec(text.slice(-16))?.[0] ?? "";
  if (!/^\.\.+$/.test(found)) return found;
  let from = text.length;
  while (text[from - 1] === ".") from--;
  return text.slice(from);
}

/** Spellings are short: a map that is asked for a long text reads all of it. */
const specialOf = (text: string) => (text.length > LONGEST_SPECIAL ? undefined : SPECIAL.get(text));

function middle(rest: string, known: typeof specialOf): readonly string[] {
  if (!rest) return [];
  const whole = known(rest);
  if (whole) return whole;
  if (isUrl(rest)) return [rest];
  const found: string[] = [];
  let at = 0;
  for (const { 0: mark, index } of rest.matchAll(INFIX)) {
    if (index === 0) continue;
    if (index !== at) found.push(rest.slice(at, index));
    found.push(mark);
    at = index + mark.length;
  }
  if (at < rest.length) found.push(rest.slice(at));
  return found;
}

function isUrl(text: string): boolean {
  if (!text.includes(".")) return false;
  if (URL_ALONE.test(text)) return true;
  const named = text.replace(URL_SCHEME, "");
  // A user's name reaches to any of the signs; a name that a stranger repeats must not cost the square of its length.
  for (let at = named.indexOf("@"), tries = 0; at > 0 && tries < 8; at = named.indexOf("@", at + 1), tries++)
    if (URL_ALONE.test(named.slice(at + 1)) && !URL_SCHEME.test(named.slice(at + 1))) return true;
  return false;
}

interface Pattern {
  tokens: readonly string[];
  pieces: readonly string[];
}
// Special spellings that the rules take apart, by their first piece: they are put together again wherever they stand.
let patterns: Map<string, Pattern[]> | undefined;

function joined(tokens: string[]): readonly string[] {
  if (tokens.length < 2) return tokens;
  patterns ??= takenApart();
  const matches: { from: number; to: number; pieces: readonly string[] }[] = [];
  for (let from = 0; from < tokens.length; from++)
    for (const pattern of patterns.get(tokens[from]!) ?? [])
      if (pattern.tokens.every((token, i) => tokens[from + i] === token))
        matches.push({ from, to: from + pattern.tokens.length, pieces: pattern.pieces });
  if (matches.length === 0) return tokens;
  matches.sort((a, b) => b.to - b.from - (a.to - a.from) || a.from - b.from);
  const taken = new Set<number>();
  const chosen = new Map<number, (typeof matches)[0]>();
  for (const match of matches) {
    if (!taken.has(match.from) && !taken.has(match.to - 1)) chosen.set(match.from, match);
    for (let i = match.from; i < match.to; i++) taken.add(i);
  }
  const found: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const match = chosen.get(i);
    found.push(...(match?.pieces ?? [tokens[i]!]));
    if (match) i = match.to - 1;
  }
  return found;
}

function takenApart(): Map<string, Pattern[]> {
  const found = new Map<string, Pattern[]>();
  for (const [spelt, pieces] of SPECIAL) {
    INFIX.lastIndex = 0;
    if (!PREFIX.test(spelt) && !SUFFIX.test(spelt) && !INFIX.test(spelt)) continue;
    const tokens = split(spelt, false);
    found.set(tokens[0]!, [...(found.get(tokens[0]!) ?? []), { tokens, pieces }]);
  }
  INFIX.lastIndex = 0;
  return found;
}
