// Gradient checkpointing: less memory for a longer backward. The engine notes the operations (core/checkpoint.h) and runs
// them again; the callback itself runs once.

import { native } from "../native.ts";
import { scoped } from "./scope.ts";
import { isRecording } from "./tape.ts";

/**
 * Runs `body`, a scope of its own, and keeps nothing of what it makes for the way back but what it started from and what it
 * returns. When `backward` comes there, the engine runs the same operations on the same values once more: memory of one such
 * part at a time, for the time of a second forward (Chen et al. 2016, "Training deep nets with sublinear memory cost").
 * Gradients have the bits that they would have without it.
 *
 *   for (const layer of layers) x = checkpoint(() => layer(x));
 *
 * What `body` uses from outside, given as `inputs` or just seen, learns as ever. Its code runs once: random numbers that it
 * draws are the same on the way back, and kept, since no operation makes them again. Checkpoints may lie in each other.
 * @throws LensorError where the callback returns a promise; what it throws itself
 */
export function checkpoint<Inputs extends readonly unknown[], R>(
  body: (...inputs: Inputs) => R,
  ...inputs: Inputs
): R {
  const run = () => scoped("checkpoint", () => body(...inputs));
  if (!isRecording()) return run();
  native().openCheckpoint();
  try {
    return run();
  } finally {
    native().closeCheckpoint();
  }
}
