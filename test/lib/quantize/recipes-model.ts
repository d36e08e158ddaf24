// The model whose tensors llama.cpp's quantize has stored for test/fixtures/gguf-model.json: widths that k-quants divide and
// one that they do not, layers enough for the recipes to differ. Drawn from a seed, the same everywhere.

import { randomModel } from "../model/random-model.ts";

export const recipesModel = (): Buffer =>
  randomModel({
    ...{ types: "F32", width: 256, heads: 8, kvHeads: 2, headWidth: 32, feedForward: 288, vocabulary: 300 },
    ...{ layers: 8, untied: true, seed: 7 },
  }).bytes;
