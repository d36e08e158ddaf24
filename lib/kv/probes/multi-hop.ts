// Questions that no single sentence answers: from a person to another, and from that one to a city. Small models are near
// chance here with a whole cache too; the sweep's interval says so.

import { CITIES, Draw, FAMILY, GIVEN, numbersOf, scattered } from "./drawn.ts";
import type { Probe } from "./probe.ts";

export interface MultiHopOptions {
  /** Pairs of people, each with two sentences and one question. */
  chains?: number;
  /** Of the made-up text around them, about. */
  words?: number;
  /** Of the text and the questions: 0. */
  seed?: number;
}

/**
 * Questions that no single sentence answers, for `cache.sweep`. Small models are near chance here with a whole cache too.
 *
 * A probe with a text of its own: "Maria's teacher is Dr. Novak.", elsewhere "Dr. Novak lives in Oslo.", and who lives where?
 */
export function multiHop(options: MultiHopOptions = {}): Probe {
  const { chains, words, seed } = numbersOf(
    "multiHop",
    options,
    { chains: 12, words: 800, seed: 0 },
    { chains: Math.min(GIVEN.length, FAMILY.length, CITIES.length) },
  );
  const draw = new Draw(seed);
  const pupils = draw.some(GIVEN, chains);
  const teachers = draw.some(FAMILY, chains);
  const homes = draw.some(CITIES, chains);
  const first = pupils.map((pupil, i) => `${pupil}'s teacher is Dr. ${teachers[i]}.`);
  const second = teachers.map((teacher, i) => `Dr. ${teacher} lives in ${homes[i]}.`);
  const facts = draw.some([...first, ...second], 2 * chains);
  return {
    name: "multiHop",
    context: `${scattered(draw, facts, draw.filler(words))}\n`,
    items: pupils.map((pupil, i) =>
      draw.choice(`\nThe city in which ${pupil}'s teacher lives is`, homes[i]!, CITIES),
    ),
  };
}
