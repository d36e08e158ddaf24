// Chance that belongs to a seed: orders and draws of whole numbers. Relies on Philox, so that a seed gives the same anywhere.

import { checkSeed, philox } from "../tensor/random.ts";

/** Numbers in [0, 1) of a seed and a stream, one after the other, 53 bits each. */
export function draws(call: string, seed: number, stream = 0): () => number {
  checkSeed(seed, call);
  const words = new Uint32Array(4);
  let at = 0;
  return () => {
    if ((at & 1) === 0) philox(stream * 2 ** 32 + (at >> 1), seed, words);
    const i = 2 * (at++ & 1);
    return ((words[i]! >>> 5) * 2 ** 26 + (words[i + 1]! >>> 6)) * 2 ** -53;
  };
}

/** A permutation of 0 to count - 1, every one equally likely (Fisher and Yates). */
export function permutation(call: string, count: number, seed: number, stream = 0): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const draw = draws(call, seed, stream);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
