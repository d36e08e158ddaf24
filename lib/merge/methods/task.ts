// Merging by what models learnt beyond a base that they share, their task vectors: added (task arithmetic), with those left
// out that point against the others (TIES), or thinned before (TIES, DARE, DELLA, breadcrumbs). One formula, a record a method:
//   W = base + lambda sum_i w_i m_i s_i d_i / n,   d_i = W_i - base without what is thinned out,
// s_i its rescaling, m_i whether it has the sign of the sum (else 1), n = sum_i w_i m_i where the method divides (else 1).

import { where } from "../../tensor/join.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import {
  type Delta,
  fromRows,
  type Group,
  type Merged,
  type MergeMethod,
  type Parameter,
  weighted,
} from "../method.ts";
import { type Sparsifier, type Thinned, thinned } from "../sparsify.ts";

interface Family {
  readonly thins?: Sparsifier;
  /** Whether a number counts only where it has the sign of the sum. */
  readonly elects: boolean;
  readonly normalize: boolean;
  readonly rescale: boolean;
}

const NEARLY_NONE = 1e-8;

function method(name: string, theirs: string, paper: string, family: Family): MergeMethod {
  const share = { of: "model", least: 0, most: 1 } as const;
  const parameters: Parameter[] = [
    { name: "weight", theirs: "weight", of: "model", standard: undefined },
    { name: "density", theirs: "density", standard: 1, ...share },
    { name: "normalize", theirs: "normalize", of: "merge", standard: family.normalize },
    { name: "rescale", theirs: "rescale", of: "merge", standard: family.rescale },
    { name: "lambda", theirs: "lambda", of: "merge", standard: 1 },
    ...(family.thins === "outliers" ? [{ name: "gamma", theirs: "gamma", standard: 0.01, ...share }] : []),
    ...(family.thins === "ranked" ? [{ name: "epsilon", theirs: "epsilon", standard: 0.15, ...share }] : []),
  ];
  return {
    ...{ name, theirs, paper, base: "needed", least: 1 },
    parameters: family.thins
      ? parameters
      : parameters.filter(({ name }) => name !== "density" && name !== "rescale"),
    merge: (group) => merged(group, family),
  };
}

/** Ilharco et al. 2023. */
export const taskArithmetic = method("taskArithmetic", "task_arithmetic", "arXiv 2212.04089", {
  ...{ elects: false, normalize: false, rescale: false },
});
/** Yadav et al. 2023: the largest of each task vector, and of these the ones that agree in sign, averaged. */
export const ties = method("ties", "ties", "arXiv 2306.01708", {
  ...{ thins: "magnitude", elects: true, normalize: true, rescale: false },
});
/** Yu et al. 2024: some of each task vector at random, rescaled. */
export const dare = method("dare", "dare_linear", "arXiv 2311.03099", {
  ...{ thins: "random", elects: false, normalize: false, rescale: true },
});
export const dareTies = method("dareTies", "dare_ties", "arXiv 2311.03099", {
  ...{ thins: "random", elects: true, normalize: false, rescale: true },
});
/** Deep et al. 2024: at random, the larger of a row likelier to stay. */
export const della = method("della", "della", "arXiv 2406.11617", {
  ...{ thins: "ranked", elects: true, normalize: true, rescale: true },
});
export const dellaLinear = method("dellaLinear", "della_linear", "arXiv 2406.11617", {
  ...{ thins: "ranked", elects: false, normalize: false, rescale: true },
});
/** Davari and Belilovsky 2023: without the smallest and without the very largest. */
export const breadcrumbs = method("breadcrumbs", "breadcrumbs", "arXiv 2312.06795", {
  ...{ thins: "outliers", elects: false, normalize: false, rescale: false },
});
export const breadcrumbsTies = method("breadcrumbsTies", "breadcrumbs_ties", "arXiv 2312.06795", {
  ...{ thins: "outliers", elects: true, normalize: false, rescale: false },
});

async function merged(group: Group, family: Family): Promise<Merged> {
  const { parts, values } = group;
  const base = group.base!;
  const weights = parts.map((part) => part.values.weight!);
  const alone = onlyOne(group);
  if (alone) return (from, to) => alone.rows(from, to);
  const learnt = parts.map(
    (part): Delta =>
      (from, to) =>
        fromRows([part, base], from, to, (x, base) => x.sub(base)),
  );
  const all: Thinned[] = [];
  for (const [i, delta] of learnt.entries())
    all.push(
      family.thins
        ? await thinned(group, delta, family.thins, parts[i]!.values, i, values.rescale === true)
        : { pass: () => delta, scale: 1 },
    );
  const passes = all.map((one) => one.pass());
  const factors = all.map(({ scale }, i) => scale * weights[i]!);
  const lambda = values.lambda as number;
  return async (from, to) => {
    // In turn: each pass keeps count of where it is.
    const deltas: Tensor[] = [];
    for (const pass of passes) deltas.push(await pass(from, to));
    try {
      return await fromRows([base], from, to, (start) =>
        start.add(
          weighted([summed(deltas, factors, weights, family.elects, values.normalize === true)], [lambda]),
        ),
      );
    } finally {
      for (const delta of deltas) delta.dispose();
    }
  };
}

/** The model that the formula comes out at, where it is that of one alone: base + (W - base) would round. */
function onlyOne({ parts, base, values }: Group) {
  const counting = parts.filter(({ values }) => values.weight !== 0);
  if (counting.length === 0 || values.lambda === 0) return base;
  const [one] = counting;
  const whole = (one!.values.density ?? 1) >= 1 && values.lambda === 1;
  return counting.length === 1 &&
    whole &&
    (one!.values.weight === 1 || (values.normalize && one!.values.weight! > 0))
    ? one
    : undefined;
}

function summed(
  deltas: readonly Tensor[],
  factors: readonly number[],
  weights: readonly number[],
  elects: boolean,
  normalize: boolean,
): Tensor {
  const counted = deltas.map((delta, i) => delta.mul(factors[i]!));
  const total = counted.reduce((a, b) => a.add(b));
  if (!elects) {
    const divisor = weights.reduce((a, b) => a + b, 0);
    return normalize && Math.abs(divisor) >= NEARLY_NONE ? total.div(divisor) : total;
  }
  const sign = where(total.ge(0), 1, -1);
  const agrees = counted.map((delta) => delta.mul(sign).gt(0).cast("f32"));
  const sum = counted.map((delta, i) => delta.mul(agrees[i]!)).reduce((a, b) => a.add(b));
  if (!normalize) return sum;
  const divisor = agrees.map((one, i) => one.mul(weights[i]!)).reduce((a, b) => a.add(b));
  return sum.div(where(divisor.eq(0), 1, divisor));
}
