// What made-up texts are drawn from: one stream of numbers a seed, and the words of a small hospital, its town and its
// people. Relies on tensor/random.ts, so that a seed gives the same text on every machine.

import { checkNames, checkNumber } from "../../options.ts";
import { uniform } from "../../tensor/random.ts";

/** Numbers taken from the generator at a time. */
const BATCH = 1024;

export class Draw {
  readonly #seed: number;
  #batch = 0;
  #at = BATCH;
  #numbers: Float32Array = new Float32Array();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** A whole number from 0 up to, and without, `count`. */
  below(count: number): number {
    if (this.#at === BATCH) {
      this.#at = 0;
      this.#numbers = uniform(BATCH, this.#seed * 4096 + this.#batch++);
    }
    return Math.floor(this.#numbers[this.#at++]! * count);
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** So many different ones, in a random order. */
  some<T>(list: readonly T[], count: number): T[] {
    const left = [...list];
    for (let i = 0; i < count; i++) {
      const from = i + this.below(left.length - i);
      [left[i], left[from]] = [left[from]!, left[i]!];
    }
    return left.slice(0, count);
  }

  digits(count: number): string {
    return Array.from({ length: count }, (_, i) => (i === 0 ? 1 + this.below(9) : this.below(10))).join("");
  }

  /** So many of a list: different ones as far as it reaches, then again from the start in another order. */
  spread<T>(list: readonly T[], count: number): T[] {
    const rounds = Array.from({ length: Math.ceil(count / list.length) }, () => this.some(list, list.length));
    return rounds.flat().slice(0, count);
  }

  /** A choice between the right answer and `wrong` others of the list, at a random place. */
  choice(question: string, right: string, list: readonly string[], wrong = 3) {
    const others = this.some(
      list.filter((one) => one !== right),
      wrong,
    );
    const options = this.some([right, ...others], wrong + 1);
    return { question, options: options.map((one) => ` ${one}`), correct: options.indexOf(right) };
  }

  /** Sentences of daily life, none of which answers anything, of about so many words together. */
  filler(words: number): string[] {
    const sentences: string[] = [];
    for (let count = 0; count < words; ) {
      const sentence = `${this.one(WHEN)} ${this.one(WHO)} ${this.one(DID)} ${this.one(WHERE)}${this.one(WHILE)}.`;
      count += sentence.split(" ").length;
      sentences.push(sentence);
    }
    return sentences;
  }
}

/** Puts facts among sentences, one in each of as many equal stretches. */
export function scattered(draw: Draw, facts: readonly string[], filler: readonly string[]): string {
  const parts: string[] = [];
  const stretch = filler.length / facts.length;
  facts.forEach((fact, i) => {
    const between = filler.slice(Math.round(i * stretch), Math.round((i + 1) * stretch));
    const at = draw.below(between.length + 1);
    parts.push(...between.slice(0, at), fact, ...between.slice(at));
  });
  return parts.join(" ");
}

/** Options of a probe that are whole numbers, checked, and its seed. */
export function numbersOf<T extends Record<string, number>>(
  call: string,
  given: { readonly [name in keyof T]?: number } | undefined,
  defaults: T,
  most: { readonly [name in keyof T]?: number } = {},
): T {
  checkNames(call, given, Object.keys(defaults));
  const numbers: T = { ...defaults, ...given };
  for (const [name, value] of Object.entries(numbers)) {
    const range = name === "seed" ? { least: 0, most: 2 ** 31 } : { least: 1, most: most[name] ?? 1e6 };
    checkNumber(call, name, value, { ...range, whole: true });
  }
  return numbers;
}

export const GIVEN =
  "Maria Daniel Sofia Victor Helen Oscar Julia Martin Clara Peter Nora Samuel Alice Robert Emma George Laura Henry Anna Thomas Elena David Ruth Simon Irene Paul Grace Felix Vera Adam Judith Walter Olga Frank Diana Hugo Lucy Karl Rosa Edgar".split(
    " ",
  );
export const FAMILY =
  "Lopez Fischer Novak Murphy Rossi Jensen Walker Silva Hughes Meyer Costa Bailey Turner Petrov Ellis Moreau Keller Santos Reid Abbott Becker Carver Dalton Farrell Gomez Hansen Ivanov Jordan Larsen Marino Nolan Olsen Parker Quinn Romano Schmidt Tanaka Vargas Weber Yamada".split(
    " ",
  );
export const CITIES =
  "Lisbon Oslo Cairo Dublin Prague Lima Vienna Athens Madrid Warsaw Boston Berlin Tokyo Paris Chicago Rome".split(
    " ",
  );
export const DRUGS =
  "aspirin insulin morphine penicillin ibuprofen heparin codeine warfarin quinine cortisone digoxin lithium caffeine atropine dopamine melatonin ketamine steroids antibiotics vitamins iron zinc calcium iodine".split(
    " ",
  );
export const ILLNESSES =
  "pneumonia asthma migraine anaemia bronchitis fever diabetes malaria cholera arthritis measles mumps gout hepatitis epilepsy tetanus insomnia rickets scurvy jaundice leprosy typhus eczema sepsis".split(
    " ",
  );
export const DOCTORS =
  "Hale Stone Brooks Frost Marsh Lane Wells Page Cross Hart Blake Rowe Young King Wright Hill Green Baker Adams Nelson Cook Bell Ward Fox".split(
    " ",
  );

const WHEN = [
  "In the morning",
  "After lunch",
  "Late at night",
  "On the way home",
  "That winter",
  "Once again",
];
const WHO = ["the baker", "a neighbour", "the old captain", "her brother", "the gardener", "a tired nurse"];
const DID = ["walked slowly", "sang a song", "read the paper", "fed the birds", "waited", "told a story"];
const WHERE = ["by the river", "in the market", "at the station", "near the bridge", "in the garden"];
const WHILE = [" while it rained", "", " until it was dark", " with a friend", " as people do", ""];
