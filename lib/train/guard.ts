// Tells a run that goes wrong from one that goes up and down: numbers that are not finite, and losses that leave what the
// steps before led one to expect and do not come back. Judges only; what is done about it is the loop's.

import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Row } from "./journal.ts";
import type { Learner } from "./learner.ts";
import type { Objective } from "./objective.ts";
import { kept } from "./optim/optimizer.ts";

/** Losses that an expectation is made of, and how many it takes. */
const WINDOW = 32;
const LEAST = 16;
/** A loss is out of line when it is so many deviations above the median: one batch in a million, were they normal twice over. */
const DEVIATIONS = 10;
/** The deviation is taken for at least this share of the median: a loss that has settled is not a ruler. */
const LEAST_DEVIATION = 0.02;
/** A batch may be hard; so many in a row are not the batches. */
export const IN_A_ROW = 3;

/** How many of the latest rows are out of line with those before them; never more than `IN_A_ROW`. */
export function outOfLine(rows: readonly Row[]): number {
  for (let count = Math.min(IN_A_ROW, rows.length); count > 0; count--) {
    const before = rows.slice(Math.max(0, rows.length - count - WINDOW), rows.length - count);
    if (before.length < LEAST) continue;
    const most = limit(before.map(({ loss }) => loss!));
    if (rows.slice(-count).every(({ loss }) => loss! > most)) return count;
  }
  return 0;
}

/** Median and ten robust deviations (1.4826 x the median distance from it). */
function limit(losses: readonly number[]): number {
  const middle = median(losses);
  const deviation = 1.4826 * median(losses.map((loss) => Math.abs(loss - middle)));
  return middle + DEVIATIONS * Math.max(deviation, LEAST_DEVIATION * Math.abs(middle));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = sorted.length >> 1;
  return sorted.length % 2 ? sorted[at]! : (sorted[at - 1]! + sorted[at]!) / 2;
}

/**
 * Where numbers that are not finite begin, in words: a parameter, else the first place of the pass that holds one, else the
 * gradient of the parameter that is nearest to the loss. Reads the batches once more, without a gradient.
 * @param gradients Those of the step that failed, still there
 */
export async function whereItBegins<Batch>(
  learner: Learner,
  objective: Objective<Batch>,
  batches: readonly Batch[],
  parameters: readonly Tensor[],
): Promise<string> {
  const spoilt = await firstOf(parameters);
  if (spoilt) return `parameter ${spoilt.name}`;
  for (const [i, batch] of batches.entries()) {
    const found = await inThePass(learner, objective, batch);
    if (found) return batches.length > 1 ? `${found} of batch ${i + 1}` : found;
  }
  // Gradients come from the loss backwards: the last parameter is the first to get one.
  const gradients = parameters.toReversed().flatMap((one) => {
    const { grad } = one;
    return grad ? [grad] : [];
  });
  const first = await firstOf(gradients);
  for (const one of gradients) one.dispose();
  return first ? `the ${first.name}` : "the loss";
}

const WORDS: Record<string, string> = {
  ...{ residual: "the stream that enters layer", query: "queries of layer", key: "keys of layer" },
  ...{ value: "values of layer", head: "heads of layer", attention: "what attention adds in layer" },
  ...{ middle: "the stream inside layer", mlp: "what the MLP adds in layer" },
};

async function inThePass<Batch>(
  learner: Learner,
  objective: Objective<Batch>,
  batch: Batch,
): Promise<string | undefined> {
  const places: { words: string; rows: Tensor }[] = [];
  const look = (x: Tensor, at: { layer: number; place: string }) => {
    // A row's sum is finite just where all of it is, short of overflow, which is what is looked for.
    const rows = kept(x.cast("f32").reshape(x.shape[0]!, -1).sum(-1));
    places.push({ words: `${WORDS[at.place]} ${at.layer}`, rows });
    return undefined;
  };
  const hooks = Object.fromEntries(Object.keys(WORDS).map((place) => [place, look]));
  const loss = noGrad(() => scope(() => learner.watched(hooks, () => objective.loss(learner, batch).loss)));
  let found: string | undefined;
  for (const { words, rows } of places) {
    const at = found ? -1 : firstNotFinite((await rows.data()) as Float32Array);
    if (at >= 0) found = `${words}, token ${at} of the batch`;
    rows.dispose();
  }
  if (!found && !Number.isFinite(Number(await loss.item()))) found = "the loss, behind the last layer";
  loss.dispose();
  return found;
}

/** The first tensor that holds a number that is not finite. */
async function firstOf(tensors: readonly Tensor[]): Promise<Tensor | undefined> {
  const sums = scope(() => tensors.map((one) => noGrad(() => one.detach().mul(0).sum())));
  const values = await Promise.all(sums.map((sum) => sum.item()));
  for (const sum of sums) sum.dispose();
  return tensors[values.findIndex((value) => value !== 0)];
}

function firstNotFinite(values: Float32Array): number {
  return values.findIndex((value) => !Number.isFinite(value));
}
