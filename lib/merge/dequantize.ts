// Rows of a quantized tensor as floats, by the engine's own unpacking: the rows become the embedding of a model that is nothing
// else, and are read from there. One for each width, as many rows as a stretch has.

import type { WeightType } from "../model/config.ts";
import { DTYPES, type NativeModel, native, WEIGHT_TYPES } from "../native.ts";
import { upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import { Tensor } from "../tensor/tensor.ts";

const NAME = "token_embd.weight";

export class Dequantizer {
  readonly #models = new Map<string, Promise<NativeModel>>();

  /** @param bytes Rows in the blocks of their type @returns f32 `[rows, columns]` */
  async rows(bytes: Uint8Array, type: WeightType, rows: number, columns: number): Promise<Tensor> {
    const key = `${rows} ${columns}`;
    let model = this.#models.get(key);
    if (!model) {
      const least = { layers: 1, heads: 1, kvHeads: 1, headWidth: 2, feedForward: 1, normEpsilon: 1e-5 };
      model = native().newModel({ ...least, vocabulary: rows, width: columns }, DTYPES.f16, true);
      this.#models.set(key, model);
    }
    const made = await model;
    return scope(() => {
      const stored = upload(bytes, [bytes.length], "u8", "rows");
      native().updateWeights(made, [NAME], [stored.memory("update").handle], [WEIGHT_TYPES[type]]);
      return Tensor.fromBuffer(native().unpackWeight(made, NAME), [rows, columns], "f32", "rows");
    });
  }

  async close(): Promise<void> {
    for (const model of this.#models.values()) native().releaseModel(await model);
    this.#models.clear();
  }
}
