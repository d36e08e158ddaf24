// Low-rank adapters (Hu et al. 2021): beside each frozen matrix W a product of two thin ones, y = x W^T + s (x A^T) B^T, of
// which only A and B learn. s = alpha / rank, or alpha / sqrt(rank) where ranks are large (rsLoRA, Kalajdzievski 2023).

import type { Model } from "../model/model.ts";
import { present, product } from "../model/network.ts";
import { DTYPES } from "../native.ts";
import { checkFlag, checkNames, checkNumber } from "../options.ts";
import { rand, zeros } from "../tensor/create.ts";
import { dropout } from "../tensor/nn/dropout.ts";
import { enqueueAll } from "../tensor/queue.ts";
import { checkSeed, drawSeed } from "../tensor/random.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Adapter } from "./adapter.ts";
import { dora } from "./dora.ts";
import type { Kind, Part } from "./part.ts";
import { LINEAR, type Target, targetsOf } from "./targets.ts";

export interface LoraOptions {
  /** Rows of A, columns of B. */
  rank?: number;
  /** The adapter's part counts alpha / rank; twice the rank by default. */
  alpha?: number;
  /** Which linear layers of the blocks: names ("attn_q", "q_proj") or patterns ("blk.2*.ffn_*"); all by default. */
  targets?: readonly Target[];
  /** The adapter's part counts alpha / sqrt(rank). */
  rslora?: boolean;
  /** The share of what A reads that is left out, at random, in `model.loss` where it is given a seed. */
  dropout?: number;
  /** Directions and lengths of W's rows learn apart (Liu et al. 2024). */
  dora?: boolean;
  /** Of A at the start; B starts at 0, so that nothing changes at first. */
  seed?: number;
}

/** Adapters to be put on a model: `lora({ rank: 8 }).on(model)`. */
export interface Lora extends Kind {
  readonly rank: number;
  readonly alpha: number;
  readonly targets: readonly Target[];
  /** New adapters for a model: A random, B zero, so that nothing changes at first. `seed` is taken where none was given here. */
  on(model: Model, options?: { seed: number }): Adapter;
}

/**
 * Low-rank adapters (Hu et al. 2021, arXiv 2106.09685), for `finetune`, `align` and `reinforce`: beside each frozen matrix W
 * `[out, in]` a product of two thin ones, of which only A `[rank, in]` and B `[out, rank]` learn:
 *
 *   y = x W^T + s (x A^T) B^T,  s = alpha / rank, or alpha / sqrt(rank) with rank stabilization (rsLoRA, Kalajdzievski 2023)
 */
export function lora(options: LoraOptions = {}): Lora {
  checkNames("lora", options, ["rank", "alpha", "targets", "dropout", "rslora", "dora", "seed"]);
  const { rank = 8, alpha = 2 * rank, targets = Object.keys(LINEAR), seed } = options;
  const { dropout: rate = 0, rslora = false, dora: lengths = false } = options;
  checkNumber("lora", "rank", rank, { least: 1, most: 4096, whole: true });
  checkNumber("lora", "alpha", alpha, { least: 0, above: true });
  checkNumber("lora", "dropout", rate, { least: 0, most: 0.99 });
  checkFlag("lora", "rslora", rslora);
  checkFlag("lora", "dora", lengths);
  if (seed !== undefined) checkSeed(seed, "lora");
  const scale = alpha / (rslora ? Math.sqrt(rank) : rank);
  const own: Lora = {
    ...{ name: "lora", rank, alpha, targets },
    options: { rank, alpha, targets: targets.map(String), dropout: rate, rslora, dora: lengths },
    adapts: targetsOf("lora", "targets", targets),
    part: (matrix, seed) => {
      const part = lowRank(randomA(rank, matrix.columns, seed), zeros([matrix.rows, rank]), scale, rate);
      return lengths ? dora(part, matrix) : part;
    },
    on: (model, fallback) => new Adapter(model, own, seed ?? fallback?.seed ?? drawSeed()),
  };
  return own;
}

export interface LowRank extends Part {
  readonly parameters: { lora_a: Tensor; lora_b: Tensor };
  readonly scale: number;
}

/** y = x W^T + scale (x A^T) B^T,  A `[rank, in]`, B `[out, rank]`. `rate`: how much of what A reads is dropped out. */
export function lowRank(a: Tensor, b: Tensor, scale: number, rate = 0): LowRank {
  return {
    parameters: { lora_a: a, lora_b: b },
    scale,
    linear: ({ packed, linear }, x, precision, addend, seed) => {
      const drops = rate > 0 && seed !== undefined;
      if (!packed || drops) {
        const read = drops ? dropout(x, { rate, seed }) : x;
        const below = linear(x, precision, addend);
        return product(product(read, a, precision).mul(scale), b, precision, below);
      }
      const T = x.shape[0]!;
      const results = [
        { name: "linear", dtype: addend?.dtype ?? precision, shape: [T, b.shape[0]!] },
        { name: "adapter", dtype: "f32" as const, shape: [T, a.shape[0]!] },
      ];
      const params = [DTYPES[precision], scale, 0, addend ? 1 : 0];
      const [y, inner] = enqueueAll("adapted", params, results, [x, a, b, ...present(addend)], packed);
      inner!.dispose();
      return y!;
    },
    beside: () => ({ rank: a.shape[0]!, scale, down: a, up: b }),
  };
}

/** Uniform in +-1 / sqrt(in), as PEFT starts A. */
function randomA(rank: number, columns: number, seed: number): Tensor {
  return scope(() =>
    rand([rank, columns], { seed })
      .mul(2)
      .sub(1)
      .mul(1 / Math.sqrt(columns)),
  );
}
