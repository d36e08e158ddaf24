// The parts that neural networks are put together from, as functions of tensors; torch's torch.nn.functional. Each has a
// gradient.

import { attention } from "./attention.ts";
import { conv1d } from "./convolution.ts";
import { dropout } from "./dropout.ts";
import { combine, dispatch, grouped } from "./experts.ts";
import { embedding, geglu, linear, swiglu } from "./layers.ts";
import { favor, linearAttention } from "./linear-attention.ts";
import { crossEntropy, linearCrossEntropy, linearLogprobs } from "./loss.ts";
import { layerNorm, rmsNorm } from "./norm.ts";
import { rope } from "./rope.ts";
import { scan } from "./scan.ts";

/**
 * The parts that neural networks are put together from, as functions of tensors, like torch.nn.functional. Each has a
 * gradient.
 */
export const nn = {
  ...{
    linear,
    embedding,
    swiglu,
    geglu,
    rmsNorm,
    layerNorm,
    rope,
    attention,
    linearAttention,
    favor,
    conv1d,
    scan,
  },
  ...{ dropout, dispatch, grouped, combine, crossEntropy, linearCrossEntropy, linearLogprobs },
};
