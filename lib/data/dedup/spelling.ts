// What the engine must know to read texts as `simplify` and `words` do: for every code point what it becomes, and for a spelling
// that is not plain its words. Relies on those two for every answer; the engine only remembers them.

import { PUNCTUATED, simplify, simplifyCharacter } from "../../text/simplify.ts";
import { INFIX, PREFIX, SPACE, SPECIAL, SUFFIX } from "../../text/word-rules.ts";
import { wordsOf } from "../../text/words.ts";

// Kinds of native/data/spelling.h.
const [PLAIN, HARD, EMPTY, DIGIT, DROPPED, UNKNOWN] = [0, 1, 2, 3, 4, 5];
const SEPARATOR = 8;
/** Behind the last mark that is dropped; what comes then is plain, as is all from one end of the ideographs to the tags. */
const KNOWN = 0xe01f0;
const IDEOGRAPHS = 0x30000;
const TAGS = 0xe0000;

export interface Spelling {
  /** By code point: its kind, and the bytes that take its place. */
  readonly entries: Uint32Array;
  readonly replacements: Uint8Array;
  /** Spellings of plain characters that are several words all the same, and their words, each a line. */
  readonly lines: Uint8Array;
}

let made: Spelling | undefined;

export function spelling(): Spelling {
  return (made ??= make());
}

/** Lines for spellings that the engine has not met. */
export function tell(spellings: Iterable<string>): Uint8Array {
  let lines = "";
  for (const spelt of spellings) lines += `${spelt}\n${wordsOf(spelt).join(" ")}\n`;
  return Buffer.from(lines);
}

function make(): Spelling {
  const entries = new Uint32Array(KNOWN);
  const pool: Buffer[] = [];
  let at = 0;
  const space = new RegExp(`^[${SPACE}]$`, "u");
  for (let code = 0; code < KNOWN; code++) {
    if (code === IDEOGRAPHS) code = TAGS;
    const character = String.fromCodePoint(code);
    const separator = /[.,،٫⎖⎗⎘]/.test(character) ? SEPARATOR : 0;
    if (code >= 0xd800 && code < 0xe000) entries[code] = UNKNOWN;
    // A capital sigma is one of two letters, by what stands behind it.
    else if (character === "Σ") entries[code] = UNKNOWN;
    else if (/\p{Nd}/u.test(character)) entries[code] = DIGIT;
    else if (space.test(character) || PUNCTUATED.test(character)) entries[code] = EMPTY | separator;
    else {
      const simple = simplifyCharacter(character);
      const kind = simple === "" ? DROPPED : isPlain(simple) ? PLAIN : HARD;
      const bytes = Buffer.from(simple);
      const replaced = simple === character || simple === "" ? 0 : bytes.length;
      if (replaced > 15) entries[code] = UNKNOWN;
      else entries[code] = kind | separator | (replaced << 4) | ((replaced && at) << 8);
      if (!replaced || replaced > 15) continue;
      pool.push(bytes);
      at += replaced;
    }
  }
  const plain = [...SPECIAL.keys()].filter((spelt) => isPlain(spelt) && simplify(spelt) === spelt);
  return { entries, replacements: Buffer.concat(pool), lines: tell(plain) };
}

/** Whether no rule can part such characters from a word. */
function isPlain(text: string): boolean {
  if (/^[\p{L}\p{M}]+$/u.test(text)) return true;
  INFIX.lastIndex = 0;
  return !/[0-9.]/.test(text) && !PREFIX.test(text) && !SUFFIX.test(text) && !INFIX.test(`a${text}a`);
}
