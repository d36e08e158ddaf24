// Multiple choice on a long document: a ward's case records, dense with facts of the same few kinds, so that every wrong
// option stands in the text too and only the one record that is asked about tells which is right.

import { DOCTORS, DRUGS, Draw, FAMILY, GIVEN, ILLNESSES, numbersOf } from "./drawn.ts";
import type { Probe } from "./probe.ts";

export interface ChoiceOptions {
  /** Case records, of about 26 tokens each. */
  records?: number;
  /** Each is about one fact of one record. */
  questions?: number;
  /** Of the text and the questions: 0. */
  seed?: number;
}

/** What a record says, in this order. */
const KINDS = ["ward", "illness", "drug", "doctor"] as const;
type Case = Record<(typeof KINDS)[number] | "name", string>;

/**
 * Multiple choice on a long document, for `cache.sweep`.
 *
 * A probe with a text of its own: generated case records. A question is a record's beginning, up to one of its facts; that
 * fact and three of the same kind from other records are the options.
 */
export function choice(options: ChoiceOptions = {}): Probe {
  const { records, questions, seed } = numbersOf(
    "choice",
    options,
    { records: 20, questions: 32, seed: 0 },
    { records: 1000, questions: 4000 },
  );
  const draw = new Draw(seed);
  const names = draw.some(
    GIVEN.flatMap((given) => FAMILY.map((family) => `${given} ${family}`)),
    records,
  );
  const wards = draw.spread(
    Array.from({ length: 90 }, (_, i) => String(i + 10)),
    records,
  );
  const lists = [ILLNESSES, DRUGS, DOCTORS].map((list) => draw.spread(list, records));
  const cases = names.map((name, i): Case => {
    const [illness, drug, doctor] = lists.map((list) => list[i]!);
    return { name, ward: wards[i]!, illness: illness!, drug: drug!, doctor: doctor! };
  });
  const facts = cases.flatMap((one) => KINDS.map((kind) => ({ one, kind })));
  return {
    name: "choice",
    context: `${cases.map((one) => `${upTo(one, "doctor")} ${one.doctor}`).join("\n")}\n`,
    items: draw.some(facts, Math.min(questions, facts.length)).map(({ one, kind }) => {
      // Of a few records alone there may be fewer than four different ones.
      const present = [...new Set(cases.map((other) => other[kind]))];
      const list = present.length > 3 ? present : [...new Set([...present, ...SPARE[kind]])];
      return draw.choice(`\n${upTo(one, kind)}`, one[kind], list);
    }),
  };
}

const SPARE = { ward: ["11", "35", "58", "92"], illness: ILLNESSES, drug: DRUGS, doctor: DOCTORS };

/** A record as it stands before one of its facts: `Patient: Ruth Marino; ward: 66; illness:` */
function upTo(one: Case, kind: (typeof KINDS)[number]): string {
  const before = KINDS.slice(0, KINDS.indexOf(kind)).map((known) => ` ${known}: ${one[known]};`);
  return `Patient: ${one.name};${before.join("")} ${kind}:`;
}
