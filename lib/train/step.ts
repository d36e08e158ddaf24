// One step's sums: the gradients of its batches, the loss and what the objective notes of it; and the same without gradients,
// of what is held out. Changes no parameter.

import { LensorError } from "../errors.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Learner } from "./learner.ts";
import type { Batches, Objective } from "./objective.ts";

export interface Gathered {
  readonly loss: Tensor;
  readonly notes: Readonly<Record<string, number | Tensor>>;
}

/** The batches of one step; none when there are no more. */
export async function draw<Batch>(batches: Batches<Batch>, count: number): Promise<Batch[]> {
  const together: Batch[] = [];
  while (together.length < count) {
    const { done, value } = await batches.next();
    if (done) break;
    together.push(value);
  }
  return together;
}

/** Adds up the gradients of batches, each counting what its mean is over. */
export function gather<Batch>(
  learner: Learner,
  objective: Objective<Batch>,
  batches: readonly Batch[],
): Gathered {
  const weights = batches.map((batch) => objective.weight?.(batch) ?? 1);
  const total = weights.reduce((a, b) => a + b, 0);
  return scope(() => {
    const all = batches.map((batch, i) => {
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
    const names = new Set(all.flatMap(({ notes }) => Object.keys(notes)));
    return {
      loss: all.map(({ loss }) => loss).reduce((a, b) => a.add(b)),
      notes: Object.fromEntries([...names].map((name) => [name, together(name)])),
    };

    /** Of the batches that have something to note of it. */
    function together(name: string): Note {
      const have = all.flatMap(({ notes }, i) => (name in notes ? [i] : []));
      const sum = have.map((i) => all[i]!.notes[name]!).reduce(plus);
      const share = have.reduce((weight, i) => weight + weights[i]!, 0) / total;
      return part(sum, 1 / share);
    }
  });
}

/** The mean loss over batches, each counting what its mean is over; null of none. */
export async function meanLoss<Batch>(
  learner: Learner,
  objective: Objective<Batch>,
  batches: readonly Batch[],
): Promise<number | null> {
  let sum = 0;
  let total = 0;
  for (const batch of batches) {
    const weight = objective.weight?.(batch) ?? 1;
    const loss = noGrad(() => scope(() => objective.loss(learner, batch).loss));
    sum += weight * (await numberOf(loss));
    total += weight;
    loss.dispose();
  }
  return total > 0 ? sum / total : null;
}

export async function numberOf(x: Tensor): Promise<number> {
  return Number(await x.item());
}

/** Notes as numbers; the tensors are freed. */
export async function read(notes: Gathered["notes"]): Promise<Record<string, number>> {
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
