// A pass through the model that a person waits for: long ones show how far they are. Native code counts the tokens times
// layers that it has done; here that is looked at now and then.

import { native } from "../native.ts";
import { formatCount, formatDuration } from "../plot/format.ts";
import { showProgress } from "../progress.ts";

const PATIENCE_MS = 1500;
const LOOK_MS = 250;

/** Waits for `pass`, which reads `tokens` tokens. */
export async function whileReading<T>(model: string, tokens: number, pass: Promise<T>): Promise<T> {
  const began = performance.now();
  const progress = showProgress(`${model} reads`, tokens, {
    amount: (done, total) => `${formatCount(Math.floor(done))} of ${formatCount(total)} tokens`,
    afterMs: PATIENCE_MS,
  });
  const timer = setInterval(() => {
    const { done, total } = native().progress();
    if (total > 0) progress.update((done / total) * tokens);
  }, LOOK_MS);
  try {
    const result = await pass;
    const seconds = formatDuration((performance.now() - began) / 1000);
    progress.end(`${model} has read ${formatCount(tokens)} tokens in ${seconds}`);
    return result;
  } catch (error) {
    progress.end(`${model} stopped reading`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}
