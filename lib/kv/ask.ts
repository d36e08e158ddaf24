// What a cache answers to the items of a probe: whether it was right, how unlikely it found what was scored, and how far its
// distributions are from those of another cache that was asked the same. Forks what it asks; changes no cache.

import { divergences, likeliest, logprobsAfter, pickedOf } from "../evaluate/distributions.ts";
import type { Tensor } from "../tensor/index.ts";
import { scope } from "../tensor/scope.ts";
import type { Cache } from "./cache.ts";
import { type Item, isChoice, isContinuation } from "./probes/probe.ts";

/** Tokens of a continuation between whose logits memory is given back. */
const CHUNK = 256;

/** Sums over what was scored, so that items can be added up. */
export interface Answer {
  /** Undefined for a continuation. */
  readonly right: boolean | undefined;
  /** -ln p of the scored tokens: of a continuation all but its first, else those of the (correct) answer. */
  readonly loss: number;
  readonly tokens: number;
  /** KL(the other || this) in nats, over so many distributions; 0 where there is no other. */
  readonly kl: number;
  readonly rows: number;
}

/** Distributions of a cache that others are compared to, in the order of the questions: log p, f32 `[rows, vocabulary]`. */
export class Reference {
  readonly #rows: Tensor[] = [];

  push(rows: Tensor): void {
    this.#rows.push(rows);
  }

  /** Those that came at this place. */
  at(place: number): Tensor {
    return this.#rows[place]!;
  }

  dispose(): void {
    for (const rows of this.#rows) rows.dispose();
  }
}

/**
 * Asks all items, each after the cache's own text.
 * @param keep Where the distributions go, for others to be compared to
 * @param other What this cache is compared to
 */
export async function ask(
  cache: Cache,
  items: readonly Item[],
  { keep, other, onItem }: { keep?: Reference; other?: Reference | undefined; onItem?: () => void } = {},
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let place = 0;
  /** What becomes of rows that were compared. */
  const compared = async (rows: Tensor): Promise<number> => {
    const kl = other ? sum(await divergences(other.at(place), rows)) : 0;
    place++;
    if (keep) keep.push(rows);
    else rows.dispose();
    return kl;
  };
  for (const item of items) {
    const fork = cache.fork();
    try {
      answers.push(await asked(fork, item, compared));
    } finally {
      fork.dispose();
    }
    onItem?.();
  }
  return answers;
}

type Compared = (rows: Tensor) => Promise<number>;

function asked(cache: Cache, item: Item, compared: Compared): Promise<Answer> {
  const encode = (text: string) => cache.model.tokenizer.encode(text).ids;
  if (isContinuation(item)) return continued(cache, encode(item.text), compared);
  const question = encode(item.question);
  if (isChoice(item)) return chosen(cache, question, item.options.map(encode), item.correct, compared);
  return answered(cache, question, encode(item.answer), compared);
}

async function continued(cache: Cache, ids: number[], compared: Compared): Promise<Answer> {
  let [loss, kl] = [0, 0];
  for (let from = 0; from < ids.length; from += CHUNK) {
    const rows = await logprobsAfter(cache, ids.slice(from, from + CHUNK));
    loss -= sum(await pickedOf(rows, ids.slice(from + 1, from + CHUNK + 1)));
    kl += await compared(rows);
  }
  return { right: undefined, loss, tokens: ids.length - 1, kl, rows: ids.length };
}

async function answered(
  cache: Cache,
  question: number[],
  answer: number[],
  compared: Compared,
): Promise<Answer> {
  const all = await logprobsAfter(cache, [...question, ...answer.slice(0, -1)]);
  const rows = scope(() => all.at([question.length - 1, null]).contiguous());
  all.dispose();
  const picked = await likeliest(rows);
  const loss = -sum(await pickedOf(rows, answer));
  const right = answer.every((id, i) => id === picked[i]);
  return { right, loss, tokens: answer.length, kl: await compared(rows), rows: answer.length };
}

async function chosen(
  cache: Cache,
  question: number[],
  options: number[][],
  correct: number,
  compared: Compared,
): Promise<Answer> {
  const all = await logprobsAfter(cache, question);
  const first = scope(() => all.at([-1, null]).contiguous());
  all.dispose();
  const scores: number[] = [];
  let [kl, rows] = [0, 1];
  for (const [i, ids] of options.entries()) {
    let score = sum(await pickedOf(first, ids.slice(0, 1)));
    if (ids.length > 1) {
      const fork = cache.fork();
      const rest = await logprobsAfter(fork, ids.slice(0, -1));
      fork.dispose();
      score += sum(await pickedOf(rest, ids.slice(1)));
      if (i === correct) {
        kl += await compared(rest);
        rows += ids.length - 1;
      } else rest.dispose();
    }
    scores.push(score);
  }
  kl += await compared(first);
  const right = scores.every((score, i) => i === correct || score < scores[correct]!);
  return { right, loss: -scores[correct]!, tokens: options[correct]!.length, kl, rows };
}

const sum = (numbers: Float32Array) => numbers.reduce((a, b) => a + b, 0);

/** Items together: mean KL in nats, perplexity, and which were right. NaN where nothing was scored. */
export function together(answers: readonly Answer[]) {
  const total = (pick: (answer: Answer) => number) => answers.reduce((all, one) => all + pick(one), 0);
  return {
    // Rounding may leave a distribution a little less than no distance from itself.
    kl: Math.max(0, total(({ kl }) => kl) / total(({ rows }) => rows)),
    perplexity: Math.exp(total(({ loss }) => loss) / total(({ tokens }) => tokens)),
    right: answers.flatMap(({ right }) => (right === undefined ? [] : [right])),
  };
}
