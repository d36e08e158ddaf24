// Needles in a haystack (Kamradt 2023): sentences that nothing else hints at, spread through a long text.

import { LensorError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { CITIES, Draw, numbersOf, scattered } from "./drawn.ts";
import type { Probe } from "./probe.ts";

export interface NeedleOptions {
  /** How many are hidden, and asked for. */
  needles?: number;
  /** Of the made-up text around them, about. */
  words?: number;
  /** A text of your own to hide them in, in place of the made-up one. */
  text?: string;
  /** Of the text and the questions: 0. */
  seed?: number;
}

/**
 * Needles in a haystack (Kamradt 2023), for `cache.sweep`: sentences that nothing else hints at, spread through a long text.
 *
 * A probe with a text of its own: "The secret code of Lisbon is 4817." and others like it, asked for by name.
 */
export function needle({ text, ...numbers }: NeedleOptions = {}): Probe {
  const { needles, words, seed } = numbersOf(
    "needle",
    numbers,
    { needles: 8, words: 1000, seed: 0 },
    { needles: CITIES.length },
  );
  if (text !== undefined && typeof text !== "string")
    throw new LensorError("needle: text is wrong", { expected: "a text", got: describe(text) });
  const draw = new Draw(seed);
  const hidden = draw.some(CITIES, needles).map((city) => ({
    question: `\nThe secret code of ${city} is`,
    answer: ` ${draw.digits(4)}`,
  }));
  const facts = hidden.map(({ question, answer }) => `${question.trim()}${answer}.`);
  const hay = text?.split(/(?<=[.!?]['"]?)\s+/) ?? draw.filler(words);
  return { name: "needle", context: `${scattered(draw, facts, hay)}\n`, items: hidden };
}
