// What `compare` can measure: the shape of a measure, and what one is given to work on. A measure sees all models at once, so
// that it may take turns among them or read a text beside another; most look at one after the other (eachModel). Runs nothing.

import type { Cache } from "../kv/cache.ts";
import type { Model } from "../model/model.ts";
import type { Interval } from "./intervals.ts";

/** A function of a model. */
export type Metric = (model: Model) => Promise<number>;

/** One of those that are compared: a model, or a cache, which is a model that has read something. */
export interface Subject {
  readonly name: string;
  readonly model: Model;
  readonly cache: Cache | undefined;
}

/** What some neighbouring tokens, or one question, add to a mean. */
export interface Sample {
  readonly sum: number;
  readonly count: number;
}

/** What was found of one subject; the interval is of 95 %, NaN where there is none. */
export interface Measured extends Interval {
  /** What it is a mean of, in an order that all subjects share. */
  readonly samples?: readonly Sample[];
  /** Of samples that are tokens, by which tokenizer: its fingerprint. */
  readonly tokenizer?: string;
  /** More columns of the table. */
  readonly more?: Readonly<Record<string, number | string>>;
}

/** What a measure works on, and whom it tells. */
export interface Study {
  readonly subjects: readonly Subject[];
  /** Place of the one that others are held against. */
  readonly reference: number;
  /** For measures that come from the same pass: what was made under a key. */
  readonly shared: Map<unknown, unknown>;
  /** A result, at once when there is one, and again when more is known. */
  note(place: number, measured: Measured): void;
  /** Why there is no result of one subject; the others go on. */
  fail(place: number, error: unknown): void;
  /** To be asked between pieces of work, with the share that is done: false when it is to end. */
  proceed(share: number): boolean;
}

/**
 * What `compare` can measure. A measure sees all models at once, so that it may take turns among them, or read a text beside
 * another.
 */
export interface Measure {
  /** Of its column. */
  readonly name: string;
  /** "" where it has none. */
  readonly unit: string;
  readonly better: "lower" | "higher";
  /** A quality stands upwards in the plot, a cost across. */
  readonly kind: "quality" | "cost";
  readonly options: Readonly<Record<string, unknown>>;
  /** Refuses what it cannot compare, before anything is measured. */
  check?(subjects: readonly Subject[], reference: number): void;
  measure(study: Study): Promise<void>;
  /** How far one is from the reference, by the samples that they share; `value` stands for it in the table. */
  paired?(own: Measured, reference: Measured): Interval | undefined;
  /** What `paired` says, as a value of the measure itself. */
  beside?(reference: number, difference: number): number;
}

/** Whether to go on, from a share of one subject's work. */
export type Proceed = (share: number) => boolean;

/** A measure that looks at one subject after the other, and as a function of a model gives the number alone. */
export function eachModel(
  facts: Omit<Measure, "measure">,
  of: (subject: Subject, proceed: Proceed) => Promise<Measured | undefined>,
): Metric & Measure {
  const metric = async (model: Model) =>
    (await of({ name: model.name, model, cache: undefined }, () => true))!.value;
  const measure = async ({ subjects, note, fail, proceed }: Study) => {
    for (const [place, subject] of subjects.entries()) {
      const share = (own: number) => proceed((place + own) / subjects.length);
      if (!share(0)) return;
      try {
        const measured = await of(subject, share);
        if (measured) note(place, measured);
      } catch (error) {
        fail(place, error);
      }
    }
  };
  const named = Object.defineProperty(metric, "name", { value: facts.name });
  const { name: _, ...rest } = facts;
  return Object.assign(named, rest, { measure }) as Metric & Measure;
}
