// A smaller model out of a larger one: some of its layers, some of its key-value heads with the query heads that read them,
// their weights as they are. What is left speaks badly until it is taught (distill.ts).

import { LensorError } from "../errors.ts";
import { parametersOf } from "../model/architecture.ts";
import { builtModel, type Stored, storedTensors } from "../model/build.ts";
import type { ModelConfig } from "../model/config.ts";
import { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { checkChoice, checkNames, describe } from "../options.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface StudentOptions {
  /** Which layers stay, ascending, or how many, evenly spread from the first to the last: all. */
  layers?: number | readonly number[];
  /** Which key-value heads stay in every layer, or how many of the first: all. The query heads that read them stay too. */
  kvHeads?: number | readonly number[];
  /** How its matrices are kept: f32. */
  dtype?: Stored;
}

export async function student(teacher: Model, options: StudentOptions): Promise<Model> {
  const call = "model.student";
  checkNames(call, options, ["layers", "kvHeads", "dtype"]);
  const { dtype = "f32" } = options;
  checkChoice(call, "dtype", dtype, ["f32", "f16", "bf16"]);
  const of = teacher.config;
  const layers = chosen(call, "layers", options.layers, of.layers, true);
  const kvHeads = chosen(call, "kvHeads", options.kvHeads, of.kvHeads, false);
  const smaller = {
    ...of,
    ...{ layers: layers.length, kvHeads: kvHeads.length, name: `${teacher.name}, ${layers.length} layers` },
    heads: (of.heads / of.kvHeads) * kvHeads.length,
  };
  const config: ModelConfig = { ...smaller, parameters: parametersOf(smaller) };
  const made = await builtModel(config, dtype, (name) => {
    const [, layer, part] = /^blk\.(\d+)\.(.*)$/.exec(name) ?? [];
    if (part === undefined) return unpacked(teacher, name);
    return headsOf(unpacked(teacher, `blk.${layers[Number(layer)]}.${part}`), part, of, kvHeads);
  });
  const { tokenizer, context, compute } = teacher;
  const tensors = storedTensors(config, dtype);
  return new Model({ name: config.name, config, tokenizer, context, compute, tensors, native: made });
}

/** The rows or columns of a matrix that belong to heads that stay. */
function headsOf(weight: Tensor, part: string, of: ModelConfig, kvHeads: readonly number[]): Tensor {
  const group = of.heads / of.kvHeads;
  const rowsOf = (heads: readonly number[]) =>
    heads.flatMap((head) => Array.from({ length: of.headWidth }, (_, i) => head * of.headWidth + i));
  const queries = () =>
    rowsOf(kvHeads.flatMap((g) => Array.from({ length: group }, (_, i) => g * group + i)));
  if (kvHeads.length === of.kvHeads) return weight;
  if (part === "attn_q.weight") return weight.indexSelect(0, queries());
  if (part === "attn_k.weight" || part === "attn_v.weight") return weight.indexSelect(0, rowsOf(kvHeads));
  if (part === "attn_output.weight") return weight.indexSelect(1, queries());
  return weight;
}

function chosen(call: string, name: string, given: unknown, count: number, spread: boolean): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (given === undefined) return all;
  if (typeof given === "number" && Number.isInteger(given) && given >= 1 && given <= count) {
    if (!spread) return all.slice(0, given);
    return Array.from({ length: given }, (_, i) =>
      given === 1 ? 0 : Math.round((i * (count - 1)) / (given - 1)),
    );
  }
  const list = Array.isArray(given) ? (given as unknown[]) : [];
  const fits = list.every(
    (one, i) =>
      Number.isInteger(one) && (one as number) > ((list[i - 1] as number) ?? -1) && (one as number) < count,
  );
  if (list.length > 0 && fits) return list as number[];
  throw new LensorError(`${call}: ${name} is wrong`, {
    expected: `how many of ${count}, or which, ascending from 0 to ${count - 1}`,
    got: list.length > 0 ? `[${list.join(", ").slice(0, 60)}]` : describe(given),
  });
}
