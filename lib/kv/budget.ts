// How many keys each KV head may keep: from the keys that there is room for to a count for every layer and head. Pure; the
// same input gives the same counts, no head gets more than it has, and all together never more than the room.

import { LensorError } from "../errors.ts";
import { checkNumber } from "../options.ts";

/** `[layers][kvHeads]` */
export type Counts = readonly (readonly number[])[];

/** What a budget may look at. */
export interface BudgetInput {
  /** How many keys each head holds. */
  readonly held: Counts;
  /** How many may stay in all. */
  readonly keys: number;
  /** `[layers][kvHeads]` of `[held]`: how much each key is worth; those that must stay are infinite. */
  readonly scores: readonly (readonly Float32Array[])[];
}

export type Budget = (input: BudgetInput) => Counts;

/** The same share of its keys for every head, rounded down as kvpress does it: at most a key a head of the room is left. */
export const uniform: Budget = ({ held, keys }) => {
  const total = sumOf(held.flat());
  return held.map((heads) =>
    heads.map((count) => (total === 0 ? 0 : Math.min(count, Math.floor((count * keys) / total)))),
  );
};

/** The best keys of the whole cache, wherever they are. */
export const global: Budget = ({ held, keys, scores }) => {
  const widths = held.map((heads) => heads.length);
  const best = sharesOfBest(scores.flat(), keys);
  return widths.map((width) => best.splice(0, width));
};

/** The best keys of each layer, which gets its even share of the room. */
export const layerwise: Budget = (input) =>
  uniform(input).map((even, layer) => sharesOfBest(input.scores[layer]!, sumOf(even)));

/**
 * Ada-KV (Feng et al. 2024, arXiv 2407.11550): a layer's even share goes to its best keys, in whichever head, but each head
 * is sure of `safeguard` of what it would have got evenly.
 */
export function adaptive(safeguard: number): Budget {
  checkNumber("adaKV", "safeguard", safeguard, { least: 0, most: 1 });
  return (input) =>
    uniform(input).map((even, layer) => {
      const scores = input.scores[layer]!.map((head, h) => {
        const safe = Float32Array.from(head);
        for (const j of bestOf(head, Math.floor(even[h]! * safeguard))) safe[j] = Number.POSITIVE_INFINITY;
        return safe;
      });
      return sharesOfBest(scores, sumOf(even));
    });
}

/**
 * PyramidKV's schedule (Cai et al. 2024, arXiv 2406.02069), as kvpress has it. With m keys a head on average and T held,
 *   least = m / beta,  most = 2 m - least,  or where that is above T - window:  most = T - window,  least = 2 m - most,
 * a head of layer l keeps most - l (most - least) / (layers - 1). Where `least` would be less than the window the schedule has
 * no room and every layer keeps the same.
 */
export function pyramid(beta: number, window: number): Budget {
  checkNumber("pyramidKV", "beta", beta, { least: 1 });
  return (input) => {
    const { held, keys } = input;
    const heads = sumOf(held.map((layer) => layer.length));
    const [mean, longest] = [keys / heads, sumOf(held.flat()) / heads];
    let least = mean / beta;
    let most = 2 * mean - least;
    if (most >= longest - window) {
      most = longest - window;
      least = 2 * mean - most;
    }
    if (!(longest >= most && most >= least && least >= window) || held.length < 2) return uniform(input);
    const step = (most - least) / (held.length - 1);
    const wanted = held.map((layer, l) =>
      layer.map((count) => Math.min(count, roundHalfEven(((most - l * step) * count) / longest))),
    );
    return within(wanted, keys);
  };
}

/** Takes what is above the room from the last layers' heads, one key each in turn. */
function within(wanted: number[][], keys: number): Counts {
  let over = sumOf(wanted.flat()) - keys;
  while (over > 0)
    for (let layer = wanted.length - 1; layer >= 0 && over > 0; layer--)
      for (let head = wanted[layer]!.length - 1; head >= 0 && over > 0; head--)
        if (wanted[layer]![head]! > 0) {
          wanted[layer]![head]!--;
          over--;
        }
  return wanted;
}

/** How many of the `count` largest of all lists each list has; of equals the first. */
function sharesOfBest(lists: readonly Float32Array[], count: number): number[] {
  const total = sumOf(lists.map(({ length }) => length));
  if (count >= total) return lists.map(({ length }) => length);
  if (count <= 0) return lists.map(() => 0);
  const all = new Float32Array(total);
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  const bar = all.sort()[total - count]!;
  const above = lists.map((list) => list.reduce((n, score) => n + (score > bar ? 1 : 0), 0));
  let left = count - sumOf(above);
  return lists.map((list, i) => {
    const equal = Math.min(
      left,
      list.reduce((n, score) => n + (score === bar ? 1 : 0), 0),
    );
    left -= equal;
    return above[i]! + equal;
  });
}

/** The places of the `count` largest, ascending; of equals the first. @throws LensorError where a score is NaN */
export function bestOf(scores: Float32Array, count: number): Int32Array {
  if (scores.some(Number.isNaN))
    throw new LensorError("A key's score is not a number", {
      expected: "keys and queries of finite numbers",
      fix: "Read the text in exact mode, or look for the layer where the model's numbers overflow with model.trace(text).",
    });
  const n = Math.max(0, Math.min(count, scores.length));
  const places = new Int32Array(n);
  if (n === 0) return places;
  const bar = scores.slice().sort()[scores.length - n]!;
  let equal = n - scores.reduce((above, score) => above + (score > bar ? 1 : 0), 0);
  let at = 0;
  for (let j = 0; j < scores.length; j++)
    if (scores[j]! > bar || (scores[j] === bar && equal-- > 0)) places[at++] = j;
  return places;
}

/** As Python rounds: the schedule is compared with kvpress's to the key. */
function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}
