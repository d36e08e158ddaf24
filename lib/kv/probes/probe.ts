// What a sweep asks of a cache: plain records. A probe either continues the text of the cache that is swept, or brings a text
// of its own, whose cache is made and compacted in the same way. Never runs a model.

import { LensorError } from "../../errors.ts";
import { describe } from "../../options.ts";

/** Text that follows; each of its tokens is scored. */
export interface Continuation {
  readonly text: string;
}

/** Right where greedy decoding after the question would give exactly the answer's tokens. */
export interface Exact {
  readonly question: string;
  /** With the space that it begins with. */
  readonly answer: string;
}

/** Right where the correct option has the highest log-likelihood after the question, summed over its tokens. */
export interface Choice {
  readonly question: string;
  readonly options: readonly string[];
  /** Its place in the options. */
  readonly correct: number;
}

/** One question: a continuation to predict, an exact answer, or a choice. */
export type Item = Continuation | Exact | Choice;

/**
 * What a sweep asks of a cache: it either continues the text of the cache that is swept, or brings a text of its own, whose
 * cache is made and made smaller in the same way.
 */
export interface Probe {
  readonly name: string;
  /** The text that its items ask about; without one they follow the swept cache's own. */
  readonly context?: string;
  readonly items: readonly Item[];
}

export const isContinuation = (item: Item): item is Continuation => "text" in item;
export const isChoice = (item: Item): item is Choice => "options" in item;

/** Probes as people give them: each string is a continuation of the swept text. @throws LensorError naming what is wrong */
export function probesOf(call: string, given: unknown): Probe[] {
  if (!Array.isArray(given) || given.length === 0)
    throw new LensorError(`${call}: probes is wrong`, {
      expected: "a list of texts to score, or of probes such as needle() and choice()",
      got: Array.isArray(given) ? "an empty list" : describe(given),
    });
  const texts = given.filter((one) => typeof one === "string");
  const probes = given.filter((one) => typeof one !== "string").map((one) => checked(call, one));
  if (texts.length === 0) return probes;
  return [checked(call, { name: "text", items: texts.map((text) => ({ text })) }), ...probes];
}

function checked(call: string, given: unknown): Probe {
  const probe = given as Partial<Probe> | null;
  if (typeof probe !== "object" || probe === null || !Array.isArray(probe.items) || !probe.name)
    throw new LensorError(`${call}: that is no probe`, {
      expected: "a text, or { name, context?, items }",
      got: describe(given),
    });
  if (probe.context !== undefined && (typeof probe.context !== "string" || probe.context === ""))
    throw new LensorError(`${call}: the context of ${probe.name} is wrong`, {
      expected: "a text, or none to ask about the swept one",
      got: describe(probe.context),
    });
  const wrong = probe.items.find((item) => !isItem(item));
  if (wrong !== undefined || probe.items.length === 0)
    throw new LensorError(`${call}: ${probe.name} has an item that cannot be asked`, {
      expected: "{ text }, { question, answer } or { question, options, correct }, no text of them empty",
      got: wrong === undefined ? "no items" : JSON.stringify(wrong).slice(0, 80),
    });
  return probe as Probe;
}

function isItem(item: unknown): item is Item {
  if (typeof item !== "object" || item === null) return false;
  const { text, question, answer, options, correct } = item as Record<string, unknown>;
  const filled = (one: unknown) => typeof one === "string" && one !== "";
  if (text !== undefined) return filled(text);
  if (!filled(question)) return false;
  if (!Array.isArray(options)) return filled(answer);
  return options.length > 1 && options.every(filled) && options[correct as number] !== undefined;
}
