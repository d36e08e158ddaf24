// Spherical interpolation (Shoemake 1985): between two models along the arc that their weights span, so that the length of
// what is between is not lost as it is on the straight line.

import { cat } from "../../tensor/join.ts";
import { upload } from "../../tensor/queue.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { fromRows, type Group, type MergeMethod, sums, weighted } from "../method.ts";

/** Above this |cosine| of a whole tensor the arc is a line. */
const STRAIGHT = 0.9995;
const LEAST_LENGTH = 1e-8;
const LEAST_UNIT = 1e-7;

/**
 * W = sin((1-t) theta) / sin(theta) A + sin(t theta) / sin(theta) B, theta the angle between the two tensors, each as one vector. Where
 * they are nearly parallel, (1-t) A + t B. Here A is the base.
 */
export const slerp: MergeMethod = {
  ...{ name: "slerp", theirs: "slerp", paper: "Shoemake 1985", base: "needed", least: 1, most: 1 },
  parameters: [{ name: "t", theirs: "t", of: "merge", standard: undefined }],
  async merge(group) {
    const parts = [group.base!, group.parts[0]!];
    const t = group.values.t as number;
    const whole = t !== 0 && t !== 1;
    const shares = whole ? arc(t, await cosineOf(group, parts), STRAIGHT) : [1 - t, t];
    return (from, to) => fromRows(parts, from, to, (a, b) => weighted([a, b], shares));
  },
};

async function cosineOf(group: Group, parts: Group["parts"]): Promise<number> {
  const [aa, bb, ab] = await sums(group, parts, (a, b) => products(a, b));
  const length = (square: number) => (Math.sqrt(square) > LEAST_LENGTH ? Math.sqrt(square) : 1);
  return Math.max(-1, Math.min(1, ab! / length(aa!) / length(bb!)));
}

function arc(t: number, cosine: number, straight: number): [number, number] {
  if (Math.abs(cosine) > straight) return [1 - t, t];
  const theta = Math.acos(cosine);
  return [Math.sin((1 - t) * theta) / Math.sin(theta), Math.sin(t * theta) / Math.sin(theta)];
}

/**
 * The same with weights, t = w_2 / (w_1 + w_2), and where there is a base, between what the two are off it. The angle is that of the
 * whole tensor, else (`flatten: false`) of each row, an output's weights, or with `columnWise` of each column, an input's.
 */
export const nuslerp: MergeMethod = {
  ...{ name: "nuslerp", theirs: "nuslerp", paper: "Shoemake 1985", base: "possible", least: 2, most: 2 },
  parameters: [
    { name: "weight", theirs: "weight", of: "model", standard: undefined },
    { name: "flatten", theirs: "nuslerp_flatten", of: "merge", standard: true },
    { name: "columnWise", theirs: "nuslerp_row_wise", of: "merge", standard: false },
  ],
  async merge(group) {
    const { base, parts, values, rows, columns } = group;
    const [v, w] = parts.map(({ values }) => values.weight!) as [number, number];
    const t = Math.abs(v + w) < 1e-6 ? 0.5 : w / (v + w);
    if (t === 0 || t === 1) return (from, to) => parts[t]!.rows(from, to);
    const all = base ? [...parts, base] : parts;
    const off = (a: Tensor, b: Tensor, base?: Tensor): [Tensor, Tensor] =>
      base ? [a.sub(base), b.sub(base)] : [a, b];
    const mix = (shares: readonly (number | Tensor)[]) => (a: Tensor, b: Tensor, base?: Tensor) => {
      const mixed = weighted(off(a, b, base), shares);
      return base ? base.add(mixed) : mixed;
    };
    const found = (axis?: number) => (a: Tensor, b: Tensor, base?: Tensor) =>
      products(...off(a, b, base), axis);
    // What has one axis is one vector, however it is asked for.
    if (values.flatten || rows === 1) {
      const [first, second] = arcs(t, await sums(group, all, found()));
      return (from, to) => fromRows(all, from, to, mix([first![0]!, second![0]!]));
    }
    if (values.columnWise) {
      const shares = arcs(t, await sums(group, all, found(0)));
      return (from, to) =>
        fromRows(all, from, to, mix(shares.map((one) => upload(one, [1, columns], "f32", "shares"))));
    }
    return async (from, to) => {
      const stretch = { ...group, stretches: [[from, to]] as const };
      const shares = arcs(t, await sums(stretch, all, found(1)));
      return fromRows(all, from, to, mix(shares.map((one) => upload(one, [to - from, 1], "f32", "shares"))));
    };
  },
};

/** |a|^2, |b|^2 and a b, one after the other: of everything, or along an axis. */
function products(a: Tensor, b: Tensor, axis?: number): Tensor {
  return cat(
    [a.mul(a), b.mul(b), a.mul(b)].map((x) => (axis === undefined ? x.sum() : x.sum(axis)).reshape(-1)),
  );
}

/** What each vector of the two models counts. @param found As `products` gives it */
function arcs(t: number, found: Float64Array): [Float32Array, Float32Array] {
  const count = found.length / 3;
  const shares: [Float32Array, Float32Array] = [new Float32Array(count), new Float32Array(count)];
  for (let i = 0; i < count; i++) {
    const [aa, bb, ab] = [found[i]!, found[count + i]!, found[2 * count + i]!];
    const cosine = ab / Math.max(Math.sqrt(aa), LEAST_UNIT) / Math.max(Math.sqrt(bb), LEAST_UNIT);
    [shares[0][i], shares[1][i]] = arc(t, Math.max(-1, Math.min(1, cosine)), 1 - 5e-17);
  }
  return shares;
}
