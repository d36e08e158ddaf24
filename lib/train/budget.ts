// How many parts a batch is cut into so that a step fits the memory that it may take. Tries a part of one row and counts what
// the allocator gave for it; what a step takes grows with its rows.

import { LensorError } from "../errors.ts";
import { memory } from "../memory/memory.ts";
import { formatBytes } from "../plot/format.ts";
import type { Learner } from "./learner.ts";
import type { Batches, Objective } from "./objective.ts";
import { gather, numberOf } from "./step.ts";

/** Of what is left of the budget, for what a trial does not see: rows differ in length. */
const SHARE = 0.9;

/**
 * @param budget In bytes: of all that the engine holds, the model included
 * @throws LensorError for an objective whose batches have no parts, and where one row does not fit
 */
export async function partsWithin<Batch>(
  call: string,
  budget: number,
  learner: Learner,
  objective: Objective<Batch>,
  batches: Batches<Batch>,
): Promise<number> {
  if (!objective.split)
    throw new LensorError(`${call}: batches of ${objective.name} cannot be cut to a memory budget`, {
      fix: "Leave out `memory`, and set `batch` and `accumulate` by hand.",
    });
  const from = batches.position;
  const { done, value } = await batches.next();
  if (done) return 1;
  const rows = objective.split(value, Number.POSITIVE_INFINITY);
  const heaviest = rows.reduce((a, b) =>
    (objective.weight?.(b) ?? 1) > (objective.weight?.(a) ?? 1) ? b : a,
  );
  await settled(learner);
  const before = memory().live;
  const began = performance.now();
  const { loss } = gather(learner, objective, [heaviest]);
  await numberOf(loss);
  loss.dispose();
  await settled(learner);
  const peak = peakSince(performance.now() - began);
  for (const one of [...learner.parameters, ...(objective.parameters ?? [])]) one.zeroGrad();
  await batches.seek(from);
  // Gradients and what an optimizer remembers of them are there in every step, whatever its parts.
  const kept = 3 * learner.parameters.reduce((sum, { bytes }) => sum + bytes, 0);
  const each = Math.max(1, peak - before);
  const room = SHARE * (budget - before - kept);
  if (room < each)
    throw new LensorError(`${call}: not even one row of a batch fits the memory budget`, {
      expected: `at least ${formatBytes(before + kept + each / SHARE)}`,
      got: formatBytes(budget),
      fix: "Shorten the rows ({ length }), run blocks again on the way back ({ checkpoint: true }), or compute in bf16.",
    });
  return Math.ceil(rows.length / Math.floor(room / each));
}

/** The most that was live in the last milliseconds. */
function peakSince(milliseconds: number): number {
  const { live, timeline } = memory();
  return Math.max(
    live,
    ...timeline.filter(({ seconds }) => 1000 * seconds <= milliseconds).map((one) => one.live),
  );
}

/** Waits until all that was asked for has run. */
async function settled(learner: Learner): Promise<void> {
  await learner.parameters[0]!.data();
}
