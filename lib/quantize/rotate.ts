// Rotations (QuaRot, Ashkboos et al. 2024, arXiv 2404.00456): a norm without a gain does not see how the stream is turned, so a
// random Hadamard matrix turns it, every matrix that reads or writes it turns with it, and the model says the same with weights
// and activations that have no outliers. Folded into the weights alone: nothing is turned while it runs, which is why the input
// of W_down, behind a product that a turn does not pass, stays as it is.

import type { Compression } from "../compress/method.ts";
import { LensorError } from "../errors.ts";
import { builtModel, storedTensors } from "../model/build.ts";
import type { ModelConfig } from "../model/config.ts";
import { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { checkNames, describe } from "../options.ts";
import { full } from "../tensor/create.ts";
import { checkSeed } from "../tensor/random.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { hadamard, randomHadamard } from "./hadamard.ts";

export interface RotateOptions {
  /** Of the signs of the Hadamard matrices: 0. */
  seed?: number;
}

/**
 * Rotations (QuaRot, Ashkboos et al. 2024, arXiv 2404.00456): a random Hadamard matrix turns the residual stream and every
 * matrix that reads or writes it, so that the model says the same with weights and activations that have no outliers.
 *
 * `rotate(gptq({ bits: 3 }))`: the method on the turned model; `rotate()`: the turned model in f32. With R of the width and T of a
 * head's width, W_in diag(g) R for what reads the stream, R^T W_out for what writes it, gains 1; T^T W_v of each head and W_o T.
 * The last norm's gain goes into a head of its own, so tied embeddings come apart.
 */
export function rotate(method?: Compression, options: RotateOptions = {}): Compression {
  checkNames("rotate", options, ["seed"]);
  const { seed = 0 } = options;
  checkSeed(seed, "rotate");
  if (method !== undefined && (method?.verb !== "quantize" || method.start))
    throw new LensorError("rotate takes a method of model.quantize that does not rotate by itself", {
      expected: "rtn(), gptq() or its like",
      got: method?.name ? `${method.name}()` : describe(method),
    });
  return {
    verb: "quantize",
    name: method ? `rotate + ${method.name}` : "rotate",
    options: { ...method?.options, rotate: { seed } },
    check(call, matrices, model) {
      for (const size of [model.config.width, model.config.headWidth])
        if (!hadamard(size)) randomHadamard(call, size, seed);
      method?.check?.(call, matrices, model);
    },
    start: (model) => rotated(model, seed),
    apply: async (work) => {
      await method?.apply(work);
    },
  };
}

/** The same model turned, its numbers in f32. */
async function rotated(model: Model, seed: number): Promise<Model> {
  const { config, name, tokenizer, context, compute } = model;
  const { width, headWidth, vocabulary, tiedEmbeddings } = config;
  const own: ModelConfig = {
    ...config,
    tiedEmbeddings: false,
    parameters: config.parameters + (tiedEmbeddings ? vocabulary * width : 0),
  };
  const turns = {
    stream: randomHadamard("rotate", width, seed),
    head: randomHadamard("rotate", headWidth, seed + 1),
  };
  try {
    const made = await builtModel(own, "f32", (tensor, shape) =>
      noGrad(() => scope(() => turned(model, tensor, shape, turns))),
    );
    return new Model({
      ...{ name, tokenizer, context, compute, native: made },
      config: own,
      tensors: storedTensors(own, "f32"),
    });
  } finally {
    turns.stream.dispose();
    turns.head.dispose();
  }
}

function turned(
  model: Model,
  name: string,
  shape: readonly number[],
  { stream: R, head: T }: { stream: Tensor; head: Tensor },
): Tensor {
  if (shape.length === 1) return full(shape, 1);
  const { headWidth, tiedEmbeddings } = model.config;
  const [, block, part] = /^(?:(blk\.\d+)\.)?(\w+)\.weight$/.exec(name)!;
  const source = part === "output" && tiedEmbeddings ? "token_embd.weight" : name;
  const w = unpacked(model, source);
  const gain = (norm: string) => unpacked(model, `${norm}.weight`);
  const [rows, columns] = shape as [number, number];
  /** Of each head's columns, and of each head's rows. */
  const headColumns = () =>
    w
      .reshape(rows, columns / headWidth, headWidth)
      .matmul(T)
      .reshape(rows, columns);
  const headRows = (x: Tensor) =>
    T.T.matmul(x.reshape(rows / headWidth, headWidth, columns)).reshape(rows, columns);
  switch (part) {
    case "token_embd":
      return w.matmul(R);
    case "output":
      return w.mul(gain("output_norm")).matmul(R);
    case "attn_v":
      return headRows(w.mul(gain(`${block}.attn_norm`)).matmul(R));
    case "attn_output":
      return R.T.matmul(headColumns());
    case "ffn_down":
      return R.T.matmul(w);
    default:
      return w.mul(gain(`${block}.${part!.startsWith("attn") ? "attn" : "ffn"}_norm`)).matmul(R);
  }
}
