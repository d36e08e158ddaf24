// The training loop: batches in, losses down. Knows nothing of what a loss means (an objective says) or where batches come
// from. One step: gather gradients over some batches, look at loss and norm, then change the parameters; a step is taken
// whole or not at all, so that whatever ends a run leaves the numbers of its last step.

import { LensorError } from "../errors.ts";
import { currentHost } from "../host.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Journal, Row } from "./journal.ts";
import type { Learner } from "./learner.ts";
import type { Batches, Objective } from "./objective.ts";
import type { Optimizer } from "./optim/index.ts";
import type { Steering } from "./run.ts";
import type { Schedule } from "./schedule.ts";

export interface Loop<Batch> {
  readonly learner: Learner;
  readonly objective: Objective<Batch>;
  readonly batches: Batches<Batch>;
  /** Scored now and then, never learnt from. */
  readonly heldOut: readonly Batch[];
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly journal: Journal;
  readonly steps: number;
  /** Batches whose gradients make one step. */
  readonly accumulate: number;
  /** In steps, how often held-out batches are scored. */
  readonly evalEvery: number;
}

export async function loop<Batch>(of: Loop<Batch>, steering: Steering): Promise<void> {
  const { learner, objective, batches, optimizer, schedule, journal, steps } = of;
  try {
    await objective.prepare?.(learner);
    journal.startLoss = await heldOutLoss(of);
    while (learner.step < steps && (await steering.proceed())) {
      const began = performance.now();
      learner.tokens = 0;
      const gathered = await gather(of);
      if (!gathered) break;
      optimizer.lr = schedule.at(learner.step, steps);
      const norm = optimizer.measure();
      const [loss, gradNorm, notes] = await Promise.all([
        numberOf(gathered.loss),
        numberOf(norm),
        read(gathered.notes),
      ]);
      gathered.loss.dispose();
      optimizer.step();
      optimizer.zeroGrad();
      const { tokens } = learner;
      learner.step++;
      const seconds = (performance.now() - began) / 1000;
      const row: Row = {
        ...{ step: learner.step, loss, evalLoss: null, lr: optimizer.lr, gradNorm },
        ...{ tokensPerSecond: tokens / seconds, ...notes },
      };
      const due = learner.step % of.evalEvery === 0 || learner.step === steps;
      journal.rows.push(due ? { ...row, evalLoss: await heldOutLoss(of) } : row);
      journal.seconds += (performance.now() - began) / 1000;
      await steering.report();
    }
  } catch (error) {
    // What failed while the person interrupts failed because of it: the steps that were taken are the result.
    if (!currentHost()?.interruptFlag[0] && !steering.signal.aborted) throw error;
    steering.stop();
  } finally {
    optimizer.zeroGrad();
    await batches.return?.();
  }
}

interface Gathered {
  loss: Tensor;
  notes: Record<string, number | Tensor>;
}

/** Adds up the gradients of a step's batches, each counting what its mean is over; undefined where there are no more. */
async function gather<Batch>({
  learner,
  objective,
  batches,
  accumulate,
}: Loop<Batch>): Promise<Gathered | undefined> {
  const together: Batch[] = [];
  while (together.length < accumulate) {
    const { done, value } = await batches.next();
    if (done) break;
    together.push(value as Batch);
  }
  if (together.length === 0) return undefined;
  const weights = together.map((batch) => objective.weight?.(batch) ?? 1);
  const total = weights.reduce((a, b) => a + b, 0);
  return scope(() => {
    const all = together.map((batch, i) => {
      const share = weights[i]! / total;
      return scope(() => {
        const { loss, notes = {} } = objective.loss(learner, batch);
        checkLoss(objective.name, loss);
        (share === 1 ? loss : loss.mul(share)).backward();
        return {
          loss: part(loss.detach(), share),
          notes: mapped(notes, (note) => part(detached(note), share)),
        };
      });
    });
    return all.reduce((sum, one) => ({
      loss: sum.loss.add(one.loss),
      notes: mapped(sum.notes, (note, name) => plus(note, one.notes[name]!)),
    })) as Gathered;
  });
}

/** The mean over all held-out batches, each counting what its mean is over. */
async function heldOutLoss<Batch>({ learner, objective, heldOut }: Loop<Batch>): Promise<number | null> {
  if (heldOut.length === 0) return null;
  let sum = 0;
  let total = 0;
  for (const batch of heldOut) {
    const weight = objective.weight?.(batch) ?? 1;
    const loss = noGrad(() => scope(() => objective.loss(learner, batch).loss));
    sum += weight * (await numberOf(loss));
    total += weight;
    loss.dispose();
  }
  return sum / total;
}

async function numberOf(x: Tensor): Promise<number> {
  return Number(await x.item());
}

async function read(notes: Record<string, number | Tensor>): Promise<Record<string, number>> {
  const pairs = Object.entries(notes).map(async ([name, note]) => {
    if (!(note instanceof Tensor)) return [name, note] as const;
    const value = await numberOf(note);
    note.dispose();
    return [name, value] as const;
  });
  return Object.fromEntries(await Promise.all(pairs));
}

type Note = number | Tensor;

function mapped(
  notes: Readonly<Record<string, Note>>,
  change: (note: Note, name: string) => Note,
): Record<string, Note> {
  return Object.fromEntries(Object.entries(notes).map(([name, note]) => [name, change(note, name)]));
}

const detached = (note: Note): Note => (note instanceof Tensor ? note.detach() : note);

function part(x: Tensor, share: number): Tensor;
function part(x: Note, share: number): Note;
function part(x: Note, share: number): Note {
  if (share === 1) return x;
  return x instanceof Tensor ? x.mul(share) : x * share;
}

function plus(a: Note, b: Note): Note {
  if (a instanceof Tensor) return a.add(b);
  return b instanceof Tensor ? b.add(a) : a + b;
}

function checkLoss(name: string, loss: unknown): void {
  if (loss instanceof Tensor && loss.size === 1) return;
  throw new LensorError(`The objective ${name} gave no loss`, {
    expected: "{ loss } with a tensor of one element",
    got: loss instanceof Tensor ? `a tensor of ${loss.size}` : String(loss),
  });
}
