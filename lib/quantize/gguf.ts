// Into GGUF's own types, by llama.cpp's recipes: the tensors are the bytes that llama-quantize writes for the same numbers.
// Calibration gives each column an importance, the mean square of what meets it. recipe.ts chooses, encode.ts rounds.

import type { Compression, Work } from "../compress/method.ts";
import { LensorError } from "../errors.ts";
import { expectedTensors, type ModelTensor } from "../model/config.ts";
import type { Model } from "../model/model.ts";
import { storedRows, unpacked } from "../model/weights.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { encoded } from "./encode.ts";
import { blockOf, type Recipe, type RecipeName, recipeOf, typeOf } from "./recipe.ts";

const EMBEDDING = "token_embd.weight";

/**
 * Into GGUF's own types, by llama.cpp's recipes: the tensors are the bytes that llama-quantize writes for the same numbers.
 *
 * `model.quantize(gguf("Q4_K_M"))`: most matrices in one type, those that suffer most in a wider one. Where a width does not
 * divide into a type's blocks (k-quants: 256 columns) another stands for it, as in llama.cpp; the report's column `asked` says
 * so. With `head` the embedding too, so that the file has all the tensors of llama-quantize's.
 *
 * With `calibrate` an error counts as much as its column's mean square of activations: llama.cpp's importance matrix, here of
 * what enters after the matrices before were rounded. What makes logits is rounded without, as there.
 */
export function gguf(recipe: RecipeName = "Q4_K_M"): Compression {
  const chosen = recipeOf("gguf", recipe);
  return {
    ...{ verb: "quantize", name: "gguf", options: { recipe: chosen } },
    check: checkWidths,
    async apply(work) {
      if (work.calibrated) await calibrated(work, chosen);
      else if (chosen === "Q2_K_S")
        throw new LensorError(`${work.call}: Q2_K_S needs to know which columns matter`, {
          expected: "texts to calibrate on",
          fix: `Give calibrate some tens of texts, or take gguf("Q2_K").`,
        });
      else {
        for (const [i, { name }] of work.matrices.entries()) {
          work.progress(i);
          await round(work, chosen, name);
        }
      }
      if (untiedHead(work)) await round(work, chosen, EMBEDDING);
    },
  };
}

/** @throws LensorError where no type of blocks fits any of them */
function checkWidths(call: string, matrices: readonly ModelTensor[], { name }: Model): void {
  const widths = [...new Set(matrices.map(({ shape }) => shape[1]!))];
  if (widths.some((width) => width % 32 === 0)) return;
  throw new LensorError(
    `${call}: no type of blocks fits a matrix of ${name}, ${widths.join(" and ")} columns wide`,
    {
      expected: "columns that are a multiple of 32 (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0) or of 256 (Q2_K to Q6_K)",
      fix: `Save it in another type instead: model.save(path, { dtype: "f16" }).`,
    },
  );
}

async function calibrated(work: Work, recipe: Recipe): Promise<void> {
  const wanted = new Set(work.matrices.map(({ name }) => name));
  await work.calibrate(async ({ names, hessian }) => {
    const importance = scope(() => diagonal(hessian).mul(0.5));
    for (const name of names)
      if (wanted.delete(name))
        await round(work, recipe, name, {
          hessian,
          importance: name.startsWith("blk.") ? importance : undefined,
        });
    importance.dispose();
    return undefined;
  });
  for (const name of wanted) await round(work, recipe, name);
}

/** f32 `[n]` of `[n, n]`. */
function diagonal(matrix: Tensor): Tensor {
  const [n] = matrix.shape as readonly [number];
  return matrix.reshape(n * n).at([0, n * n, n + 1]);
}

/** The head is among the matrices, and the embedding is another one. */
function untiedHead({ matrices, model }: Work): boolean {
  return !model.config.tiedEmbeddings && matrices.some(({ name }) => name === "output.weight");
}

async function round(
  work: Work,
  recipe: Recipe,
  name: string,
  met: { hessian?: Tensor; importance?: Tensor | undefined } = {},
): Promise<void> {
  const { config, tensors } = work.model;
  const { hessian, importance } = met;
  const columns = expectedTensors(config).get(name)![1]!;
  const { type, asked } = typeOf(recipe, { name, columns, weighed: work.calibrated }, config);
  // What is in that type already stays as it is: rounding its numbers anew could only lose.
  const same = tensors.find((one) => one.name === name)!.type === type;
  const stored = scope(() => {
    if (same) return storedRows(work.model, name, type);
    const values = unpacked(work.model, name);
    return type === "F16" ? values.cast("f16") : encoded(values, type, importance);
  });
  try {
    await work.replace({ name, type }, stored, {
      ...(hessian && { hessian }),
      notes: { block: blockOf(type), ...(asked && { asked }) },
    });
  } finally {
    stored.dispose();
  }
}
