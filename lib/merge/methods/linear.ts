// Weighted means of models ("model soups", Wortsman et al. 2022), and single models: what needs no look at the whole tensor.

import { LensorError } from "../../errors.ts";
import { fromRows, type MergeMethod, weighted } from "../method.ts";

/** W = sum_i w_i W_i / sum_i w_i; without `normalize` undivided. */
export const linear: MergeMethod = {
  ...{ name: "linear", theirs: "linear", paper: "arXiv 2203.05482", base: "none", least: 1 },
  parameters: [
    { name: "weight", theirs: "weight", of: "model", standard: undefined },
    { name: "normalize", theirs: "normalize", of: "merge", standard: true },
  ],
  merge({ name, parts, values }) {
    const weights = parts.map((part) => part.values.weight!);
    const total = values.normalize ? weights.reduce((a, b) => a + b, 0) : 1;
    if (total === 0)
      throw new LensorError(`merge.linear: the weights of ${name} add up to 0`, {
        expected: "weights with a sum, or normalize: false",
      });
    const shares = weights.map((weight) => weight / total);
    return (from, to) => fromRows(parts, from, to, (...rows) => weighted(rows, shares));
  },
};

/** W = scale W_1: layers of one or several models, put together as they are. */
export const passthrough: MergeMethod = {
  ...{ name: "passthrough", theirs: "passthrough", paper: "", base: "none", least: 1, most: 1 },
  parameters: [{ name: "scale", theirs: "scale", of: "model", standard: 1 }],
  merge({ parts }) {
    const { scale } = parts[0]!.values;
    return (from, to) => fromRows(parts, from, to, (x) => weighted([x], [scale!]));
  },
};
