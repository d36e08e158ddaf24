// Tokens as a reader can see them: white space, line ends and broken bytes made visible, long ones shortened.
// Token texts come from strangers: what leaves here is plain text and still has to be escaped for HTML.

import { markup } from "./theme.ts";

const named: Record<string, string> = { " ": "·", "\n": "⏎", "\r": "␍", "\t": "⇥", "\u00a0": "⍽" };

/** `" the"` becomes `·the`, `"\n"` becomes `⏎`, a control character or half a code point its code `<0x1B>`. */
export function visibleToken(token: string, most = 24): string {
  if (token === "") return "∅";
  const shown = Array.from(token, (character) => {
    const code = character.codePointAt(0)!;
    if (named[character]) return named[character];
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return `<0x${hex(code, 2)}>`;
    if ((code >= 0xd800 && code < 0xe000) || invisible.test(character)) return `<U+${hex(code, 4)}>`;
    return character;
  });
  return shown.length > most ? `${shown.slice(0, most - 1).join("")}…` : shown.join("");
}

/** Joins, direction marks and other characters that would leave a reader looking at nothing or at a turned line. */
const invisible = /\p{Cf}|\p{Zl}|\p{Zp}|[\u2000-\u200a\u202f\u205f\u3000]|\p{Variation_Selector}/u;

const hex = (code: number, width: number) => code.toString(16).toUpperCase().padStart(width, "0");

export interface TokenTicks {
  tickmode: "array";
  tickvals: number[];
  ticktext: string[];
}

/**
 * Ticks at numeric positions, so that equal tokens keep places of their own. Up to `most` tokens each has its label;
 * beyond that every n-th, with its position.
 * @param first The position of the first token, where they are a part of a text
 */
export function tokenTicks(tokens: readonly string[], most = 64, length = 14, first = 0): TokenTicks {
  const step = niceStep(
    Math.ceil(tokens.length / most),
    tokens.length > most ? Math.ceil(tokens.length / 24) : 1,
  );
  const tickvals: number[] = [];
  for (let i = 0; i < tokens.length; i += step) tickvals.push(i);
  const ticktext = tickvals.map(
    (i) => `${step > 1 ? `${first + i} ` : ""}${markup(visibleToken(tokens[i]!, length))}`,
  );
  return { tickmode: "array", tickvals: tickvals.map((i) => first + i), ticktext };
}

/** Pixels that the longest label takes in 11 px monospace. */
export function labelRoom(ticks: TokenTicks): number {
  const plain = (text: string) => text.replace(/&(amp|lt|gt);/g, "&");
  const wide = (text: string) =>
    Array.from(text).reduce((sum, c) => sum + (c.codePointAt(0)! > 0x2e7f ? 12 : 6.7), 0);
  return Math.ceil(Math.max(0, ...ticks.ticktext.map((text) => wide(plain(text)))));
}

function niceStep(...least: number[]): number {
  const need = Math.max(1, ...least);
  for (let power = 1; ; power *= 10)
    for (const factor of [1, 2, 5]) if (factor * power >= need) return factor * power;
}
