// All that decides how a run goes on, at one step: parameters, what the optimizer remembers, where the data stands, what the
// objective changed. Taken between two steps, it is copied out of native memory; put back, the run goes on bit for bit.

import type { DType } from "../tensor/dtype.ts";
import { upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Learner } from "./learner.ts";
import type { Batches, Json, Objective } from "./objective.ts";
import type { Optimizer } from "./optim/index.ts";

/** The values of a tensor, in JavaScript's memory. */
export interface Values {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint8Array;
}

export interface Snapshot {
  /** Steps that were taken. */
  readonly step: number;
  readonly parameters: readonly Values[];
  /** One list a parameter. */
  readonly optimizer: readonly (readonly Values[])[];
  readonly position: Json;
  readonly objective: Json;
}

/** What a snapshot is of. */
export interface Subject<Batch> {
  readonly learner: Learner;
  readonly objective: Objective<Batch>;
  readonly batches: Batches<Batch>;
  readonly optimizer: Optimizer;
}

export async function snapshot<Batch>(of: Subject<Batch>): Promise<Snapshot> {
  const { learner, objective, batches, optimizer } = of;
  const [parameters, state] = await Promise.all([
    parametersOf(optimizer),
    Promise.all(optimizer.state.map((own) => Promise.all(own.map(valuesOf)))),
  ]);
  return {
    ...{ step: learner.step, parameters, optimizer: state },
    ...{ position: batches.position, objective: objective.state?.get() ?? null },
  };
}

/** The parameters alone: what a run gives when it is over. */
export function parametersOf(optimizer: Optimizer): Promise<Values[]> {
  return Promise.all(optimizer.parameters.map(valuesOf));
}

/** @param data Whether the data, too, goes back to where it stood. */
export async function restore<Batch>(of: Subject<Batch>, to: Snapshot, { data = true } = {}): Promise<void> {
  const { learner, objective, batches, optimizer } = of;
  restoreParameters(optimizer, to.parameters);
  scope(() =>
    optimizer.restore(
      to.optimizer.map((own) => own.map(uploaded)),
      to.step,
    ),
  );
  learner.step = to.step;
  objective.state?.set(to.objective);
  if (data) await batches.seek(to.position);
}

export function restoreParameters(optimizer: Optimizer, values: readonly Values[]): void {
  scope(() =>
    noGrad(() => void optimizer.parameters.forEach((one, i) => void one.assign(uploaded(values[i]!)))),
  );
}

/** In bytes. */
export function sizeOf({ parameters, optimizer }: Pick<Snapshot, "parameters" | "optimizer">): number {
  return [...parameters, ...optimizer.flat()].reduce((sum, { data }) => sum + data.byteLength, 0);
}

async function valuesOf(x: Tensor): Promise<Values> {
  return { dtype: x.dtype, shape: x.shape, data: (await x.data()) as Values["data"] };
}

function uploaded({ data, shape, dtype }: Values): Tensor {
  return upload(data, shape, dtype, "restored");
}
