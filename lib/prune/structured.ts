// Pruning whole parts: neurons of the MLPs, key-value heads with the query heads that read them, blocks. What is left is a
// smaller model of the same kind, which every kernel runs at its full speed; matrices of which only rows go stay in the blocks
// that they are kept in.

import type { Compression, Outcome, Work } from "../compress/method.ts";
import type { CompressionRow } from "../compress/report.ts";
import { parametersOf } from "../model/architecture.ts";
import { builtModel, putStored } from "../model/build.ts";
import { expectedTensors, type ModelConfig, type ModelTensor } from "../model/config.ts";
import { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { native, WEIGHT_TYPES } from "../native.ts";
import { zeros } from "../tensor/create.ts";
import { scope } from "../tensor/scope.ts";
import { Tensor } from "../tensor/tensor.ts";
import { refuseHead } from "./share.ts";

/** What of a model's tensor becomes one of the smaller model's. */
export interface Part {
  /** Of the larger model. */
  readonly name: string;
  readonly rows?: readonly number[] | undefined;
  readonly columns?: readonly number[] | undefined;
}

/** A method that leaves parts out. `choose` says, by the texts where it looks at them, what is left. */
export function structured(
  name: string,
  options: Readonly<Record<string, unknown>>,
  check: Compression["check"],
  choose: (work: Work) => Promise<{ config: Partial<ModelConfig>; part: (name: string) => Part }>,
): Compression {
  return {
    ...{ verb: "prune", name, options },
    check: (call, matrices, model) => {
      refuseHead(call, name, matrices);
      check?.(call, matrices, model);
    },
    async apply(work) {
      const { config, part } = await choose(work);
      return smaller(work.model, config, part);
    },
  };
}

async function smaller(
  model: Model,
  change: Partial<ModelConfig>,
  part: (name: string) => Part,
): Promise<Outcome> {
  const sizes = { ...model.config, ...change };
  const config: ModelConfig = { ...sizes, parameters: parametersOf(sizes) };
  const kept = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  const made = await builtModel(config, "f16", (name, shape) => {
    const from = part(name);
    // What keeps its blocks is put in afterwards.
    if (shape.length > 1 && !from.columns) return zeros(shape);
    return chosen(unpacked(model, from.name), from);
  });
  const tensors: ModelTensor[] = [];
  const rows: CompressionRow[] = [];
  for (const [name, shape] of expectedTensors(config)) {
    const from = part(name);
    const before = kept.get(from.name)!;
    const count = shape.reduce((a, b) => a * b);
    const type = shape.length === 1 ? "F32" : from.columns || before.type === "FACTORS" ? "F16" : before.type;
    const bytes =
      type === before.type ? (before.bytes / before.shape[0]!) * shape[0]! : count * (type === "F32" ? 4 : 2);
    const tensor = { name, type, shape, bytes };
    tensors.push(tensor);
    if (shape.length > 1 && !from.columns) {
      const stored = scope(() => rowsOf(model, before, from, type));
      putStored(made, tensor, stored);
      stored.dispose();
    }
    if (from.rows || from.columns) rows.push(await rowOf(model, tensor, from));
  }
  const { name, path, tokenizer, context, compute } = model;
  return {
    model: new Model({ name, path, config, tokenizer, context, compute, tensors, native: made }),
    rows,
  };
}

/** Rows of a matrix in the blocks that it is kept in. */
function rowsOf(model: Model, before: ModelTensor, { name, rows }: Part, type: ModelTensor["type"]): Tensor {
  if (type !== before.type) return chosen(unpacked(model, name), { name, rows }).cast("f16").contiguous();
  const stored = native().storedWeight(model.native(), name, WEIGHT_TYPES[type]);
  const all = Tensor.fromBuffer(stored, [before.shape[0]!, stored.bytes / before.shape[0]!], "u8", name);
  return rows ? all.indexSelect(0, rows) : all;
}

function chosen(values: Tensor, { rows, columns }: Part): Tensor {
  const some = rows ? values.indexSelect(0, rows) : values;
  return columns ? some.indexSelect(1, columns) : some;
}

/** `error`: of the matrix with zeros in place of what went. */
async function rowOf(model: Model, tensor: ModelTensor, from: Part): Promise<CompressionRow> {
  const sums = scope(() => {
    const values = unpacked(model, from.name);
    const square = (x: Tensor) => x.mul(x).sum();
    return { left: square(chosen(values, from)), all: square(values) };
  });
  const [left, all] = [Number(await sums.left.item()), Number(await sums.all.item())];
  for (const one of [sums.left, sums.all]) one.dispose();
  const { name, type, shape, bytes } = tensor;
  const bits = (8 * bytes) / (shape[0]! * shape[1]!);
  const error = Math.sqrt(Math.max(0, 1 - left / all));
  const [rows, columns] = expectedTensors(model.config).get(from.name)! as [number, number];
  const gone = 1 - (shape[0]! * shape[1]!) / (rows * columns);
  return { tensor: name, type, shape, bits, bytes, error, gone };
}
