// Recall of values by key (Liu et al. 2024, "Lost in the middle"): a list in which every line matters as much as any other,
// so that nothing can be dropped for free.

import { Draw, GIVEN, numbersOf } from "./drawn.ts";
import type { Probe } from "./probe.ts";

export interface KeyValueOptions {
  /** Lines of the list. */
  pairs?: number;
  /** How many of them are asked for; all where there are fewer. */
  questions?: number;
  /** Of the text and the questions: 0. */
  seed?: number;
}

/**
 * Recall of values by key (Liu et al. 2024, "Lost in the middle"), for `cache.sweep`: every line matters as much as any
 * other, so nothing can be dropped for free.
 *
 * A probe with a text of its own: lines such as "Locker Maria 37: 4817".
 */
export function keyValue(options: KeyValueOptions = {}): Probe {
  const { pairs, questions, seed } = numbersOf(
    "keyValue",
    options,
    { pairs: 30, questions: 15, seed: 0 },
    { pairs: 90 * GIVEN.length },
  );
  const draw = new Draw(seed);
  const keys = draw.some(
    GIVEN.flatMap((name) => Array.from({ length: 90 }, (_, i) => `Locker ${name} ${i + 10}`)),
    pairs,
  );
  const lines = keys.map((key) => ({ question: `\n${key}:`, answer: ` ${draw.digits(4)}` }));
  return {
    name: "keyValue",
    context: `Codes of all lockers${lines.map(({ question, answer }) => question + answer).join("")}\n\nAsked for:`,
    items: draw.some(lines, Math.min(questions, pairs)),
  };
}
