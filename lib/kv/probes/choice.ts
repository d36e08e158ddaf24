// Multiple choice on a long document: a ward's case records, dense with facts of the same few kinds, so that every wrong
// option stands in the text too and only the one record that is asked about tells which is right.

import { DRUGS, Draw, FAMILY, GIVEN, ILLNESSES, MONTHS, numbersOf } from "./drawn.ts";
import type { Choice, Probe } from "./probe.ts";

export interface ChoiceOptions {
  /** Case records, of about 40 tokens each. */
  records?: number;
  /** Each is about one fact of one record. */
  questions?: number;
  seed?: number;
}

/** A probe with a text of its own: generated case records, and questions with four options each. */
export function choice(options: ChoiceOptions = {}): Probe {
  const { records, questions, seed } = numbersOf(
    "choice",
    options,
    { records: 40, questions: 24, seed: 0 },
    { records: GIVEN.length * FAMILY.length },
  );
  const draw = new Draw(seed);
  const names = draw.some(
    GIVEN.flatMap((given) => FAMILY.map((family) => `${given} ${family}`)),
    records,
  );
  const cases = names.map((name) => ({
    name,
    ward: String(10 + draw.below(90)),
    date: `${1 + draw.below(28)} ${draw.one(MONTHS)}`,
    illness: draw.one(ILLNESSES),
    drug: draw.one(DRUGS),
    doctor: draw.one(FAMILY),
  }));
  const lines = cases.map(
    (one, i) =>
      `Record ${i + 1}. ${one.name} was admitted to ward ${one.ward} on ${one.date} with ${one.illness}. ${one.name} was given ${one.drug} by Dr. ${one.doctor}.`,
  );
  const asked = Array.from({ length: Math.ceil(questions / records) }, () =>
    draw.some(cases, records),
  ).flat();
  return {
    name: "choice",
    context: `${lines.join("\n")}\n`,
    items: asked.slice(0, questions).map((one, i) => question(draw, one, cases, i % 4)),
  };
}

type Case = Record<"name" | "ward" | "date" | "illness" | "drug" | "doctor", string>;

function question(draw: Draw, one: Case, all: readonly Case[], kind: number): Choice {
  const [about, words] = (
    [
      ["drug", `\nWhich drug did ${one.name} get? ${one.name} was given`],
      ["ward", `\nWhere did ${one.name} lie? ${one.name} was admitted to ward`],
      ["illness", `\nWhat was wrong with ${one.name}? ${one.name} was admitted with`],
      ["doctor", `\nWho treated ${one.name}? ${one.name} was given ${one.drug} by Dr.`],
    ] as const
  )[kind]!;
  const spare = { drug: DRUGS, ward: ["11", "35", "58", "92"], illness: ILLNESSES, doctor: FAMILY }[about];
  // Of a few records alone there may be fewer than four.
  const present = [...new Set(all.map((other) => other[about]))];
  return draw.choice(words, one[about], present.length > 3 ? present : [...new Set([...present, ...spare])]);
}
