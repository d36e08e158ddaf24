// Model stock (Jang et al. 2024): how far from the base towards the mean of models that were tuned from it, told by the angles
// between what they learnt: the more these agree, the further.

import { cat } from "../../tensor/join.ts";
import { upload } from "../../tensor/queue.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { fromRows, type MergeMethod, sums, weighted } from "../method.ts";

const LEAST = 1e-6;

/**
 * W = t mean_i W_i + (1 - t) base,  t = n c / (1 + (n - 1) c), c the mean cosine between two of the n task vectors: of the whole
 * tensor, or with `filterWise` of each row.
 */
export const modelStock: MergeMethod = {
  ...{ name: "modelStock", theirs: "model_stock", paper: "arXiv 2403.19522", base: "needed", least: 2 },
  parameters: [{ name: "filterWise", theirs: "filter_wise", of: "merge", standard: false }],
  async merge(group) {
    const { parts, rows, values } = group;
    const all = [group.base!, ...parts];
    const count = parts.length;
    const mix =
      (t: number | Tensor, rest: number | Tensor) =>
      (base: Tensor, ...models: Tensor[]) =>
        weighted([models.reduce((a, b) => a.add(b)).div(count), base], [t, rest]);
    if (!values.filterWise || rows === 1) {
      const [t] = sharesOf(await sums(group, all, products()), count);
      return (from, to) => fromRows(all, from, to, mix(t!, 1 - t!));
    }
    return async (from, to) => {
      const stretch = { ...group, stretches: [[from, to]] as const };
      const shares = sharesOf(await sums(stretch, all, products(1)), count);
      return fromRows(all, from, to, (...rows) => {
        const t = upload(shares, [to - from, 1], "f32", "shares");
        return mix(t, t.mul(-1).add(1))(...(rows as [Tensor, ...Tensor[]]));
      });
    };
  },
};

/** Products of each two task vectors, a vector's own included, pair after pair: of everything, or of each row. */
function products(axis?: number) {
  return (base: Tensor, ...models: Tensor[]) => {
    const off = models.map((model) => model.sub(base));
    const pairs = off.flatMap((a, i) => off.slice(i).map((b) => a.mul(b)));
    return cat(pairs.map((x) => (axis === undefined ? x.sum() : x.sum(axis)).reshape(-1)));
  };
}

/** t of each vector. */
function sharesOf(found: Float64Array, models: number): Float32Array {
  const pairs = (models * (models + 1)) / 2;
  const count = found.length / pairs;
  return Float32Array.from({ length: count }, (_, at) => {
    /** Where the product of the models i and j, i <= j, stands. */
    const product = (i: number, j: number) => found[(i * models - (i * (i - 1)) / 2 + (j - i)) * count + at]!;
    let sum = 0;
    for (let i = 0; i < models; i++)
      for (let j = i + 1; j < models; j++) {
        const lengths = Math.sqrt(product(i, i)) * Math.sqrt(product(j, j));
        sum += Math.max(-1, Math.min(1, product(i, j) / Math.max(lengths, LEAST)));
      }
    const cosine = sum / ((models * (models - 1)) / 2);
    const whole = 1 + (models - 1) * cosine;
    // Where they oppose each other no point is nearest: the base stays.
    return Math.abs(whole) < LEAST ? 0 : (models * cosine) / whole;
  });
}
