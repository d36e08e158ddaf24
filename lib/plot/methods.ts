// How a way to make a cache smaller looks: the same colour and mark in every figure of every notebook. Pure.

import { categories, type Tokens } from "./theme.ts";

/** In the order in which colours were handed out, and after a round of them marks; new ones go to the end. */
const NAMES = [
  ...["snapKV", "h2o", "streaming", "attentionMatching", "kvzip", "expectedAttention", "buzz"],
  ...["tova", "knorm", "keyDiff", "pyramidKV", "adaKV", "duoAttention", "quest"],
  ...["cam", "d2o", "kvQuant", "palu", "thinK", "miniCache", "merging"],
];
const MARKS = ["circle", "square", "diamond", "triangle-up", "x"];
/** What others are held against: neutral, told apart by their marks. */
const BASELINES = ["slidingWindow", "summaryOnly", "cartridge"];

export interface MethodLook {
  colour(of: Tokens): string;
  mark: string;
}

/** A pipe looks like its first method, its mark open. */
export function methodLook(name: string): MethodLook {
  const [first, ...rest] = name.split(" + ") as [string, ...string[]];
  const baseline = BASELINES.indexOf(first);
  const known = NAMES.indexOf(first);
  // A method of somebody else's own: by its letters, so that it stays the same too.
  const place = known >= 0 ? known : [...first].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 35, 7);
  const mark = MARKS[baseline >= 0 ? baseline : Math.floor(place / categories.length) % MARKS.length]!;
  return {
    colour: (of) => (baseline >= 0 ? of.baseline : categories[place % categories.length]!),
    mark: rest.length ? `${mark}-open` : mark,
  };
}
