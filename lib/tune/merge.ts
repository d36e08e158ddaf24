// An adapter inside the weights, and out of them again: W' = gain (W input + scale B A), matrix by matrix, so that no more
// than one stands beside the models. What is merged into quantized weights is kept in floating numbers.

import { LensorError } from "../errors.ts";
import { put, type Stored, storedTensors } from "../model/build.ts";
import { expectedTensors, type ModelTensor } from "../model/config.ts";
import { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { native } from "../native.ts";
import { checkChoice, checkNames } from "../options.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Beside } from "./part.ts";

export interface MergeOptions {
  /** How the adapted matrices are kept; the others stay as they are, and share the base's bytes. */
  dtype?: Stored;
}

/** A model like `from`, whose matrices of these names are what `values` gives. */
export async function replaced(
  call: string,
  from: Model,
  names: readonly string[],
  values: (name: string) => Tensor,
  name: string,
  options: MergeOptions = {},
): Promise<Model> {
  checkNames(call, options, ["dtype"]);
  const { dtype = "f32" } = options;
  checkChoice(call, "dtype", dtype, ["f32", "f16", "bf16"]);
  const { path, config, tokenizer, context, compute } = from;
  const made = await native().copyModel(from.native());
  for (const one of names) scope(() => put(made, one, values(one), dtype));
  const stored = new Map(storedTensors(config, dtype).map((tensor) => [tensor.name, tensor]));
  const tensors: ModelTensor[] = from.tensors.map((tensor) =>
    names.includes(tensor.name) ? stored.get(tensor.name)! : tensor,
  );
  return new Model({ name, path, config, tokenizer, context, compute, tensors, native: made });
}

/** W of a merged matrix W', f32: what the adapter did to it is undone. @throws LensorError where a gain is 0 */
export function undone(merged: Model, name: string, { rank, scale, down, up, gain, input }: Beside): Tensor {
  const values = unpacked(merged, name);
  const [rows, columns] = expectedTensors(merged.config).get(name)! as [number, number];
  const scaled = gain ? values.div(gain.reshape(rows, 1)) : values;
  const alone = rank > 0 ? scaled.sub(up!.matmul(down!).mul(scale)) : scaled;
  return input ? alone.div(input.reshape(1, columns)) : alone;
}

export function checkSameShapes(call: string, model: Model, base: Model): void {
  const shapes = (one: Model) => JSON.stringify([...expectedTensors(one.config)]);
  if (shapes(model) === shapes(base)) return;
  throw new LensorError(`${call}: the adapter is not in this model`, {
    expected: `what adapter.merge() gave for ${base.name}`,
    got: `${model.name}, whose matrices have other shapes`,
  });
}
