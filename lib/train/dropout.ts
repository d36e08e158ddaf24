// Dropout: elements that count for nothing in one step, and others for more, so that the mean stays. Which ones belongs to a
// seed and a use, not to the order of calls.

import { upload } from "../tensor/queue.ts";
import { philox } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Sixteen random bits decide on an element. */
const STEPS = 1 << 16;

/**
 * x with a share of its elements at 0, in steps of 2^-16, and the rest times 1 / (1 - share) (Srivastava et al. 2014).
 * @param share From 0 up, below 1
 */
export function dropout(x: Tensor, share: number, seed: number): Tensor {
  const least = Math.round(share * STEPS);
  const factor = STEPS / (STEPS - least);
  const kept = new Float32Array(x.size);
  const words = new Uint32Array(4);
  const halves = new Uint16Array(words.buffer);
  for (let i = 0; i < kept.length; i += 8) {
    philox(i / 8, seed, words);
    for (let j = 0; j < 8 && i + j < kept.length; j++) if (halves[j]! >= least) kept[i + j] = factor;
  }
  return x.mul(upload(kept, x.shape, "f32", "dropout").cast(x.dtype));
}
