// How far a student's distributions or hidden states are from its teacher's: generalized Jensen-Shannon divergence (Agarwal et
// al. 2023, arXiv 2306.13649), whose ends are the two Kullback-Leibler divergences, and distances of states. Pure.

import { checkChoice, checkNumber } from "../options.ts";
import { stack } from "../tensor/join.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * With m = beta teacher + (1 - beta) student: beta KL(teacher || m) + (1 - beta) KL(student || m), of each row, in nats.
 * beta = 0 is taken as its limit's direction, the forward KL(teacher || student); beta = 1 as the reverse KL(student || teacher).
 * @param student Logits `[rows, vocabulary]`
 * @param teacher Logits `[rows, vocabulary]`
 * @param temperature Both are divided by it
 * @returns `[rows]`
 */
export function jensenShannon(
  student: Tensor,
  teacher: Tensor,
  { beta = 0.5, temperature = 1 }: { beta?: number; temperature?: number } = {},
): Tensor {
  checkNumber("jensenShannon", "beta", beta, { least: 0, most: 1 });
  checkNumber("jensenShannon", "temperature", temperature, { least: 0, above: true });
  const [s, t] = [student, teacher].map((logits) =>
    (temperature === 1 ? logits : logits.div(temperature)).logSoftmax(-1),
  ) as [Tensor, Tensor];
  if (beta === 0) return kullbackLeibler(t, s);
  if (beta === 1) return kullbackLeibler(s, t);
  const mixture = stack([s.add(Math.log(1 - beta)), t.add(Math.log(beta))], 0).logSumExp(0);
  return kullbackLeibler(t, mixture)
    .mul(beta)
    .add(kullbackLeibler(s, mixture).mul(1 - beta));
}

/** sum p (ln p - ln q) of rows of log-probabilities: `[rows, classes]` to `[rows]`. */
function kullbackLeibler(p: Tensor, q: Tensor): Tensor {
  return p.exp().mul(p.sub(q)).sum(-1);
}

/**
 * How far states are from the teacher's, the mean over rows: "mse" the mean squared difference, "cosine" one less the cosine
 * between them (Sanh et al. 2019, arXiv 1910.01108).
 * @param student `[rows, width]`
 * @param teacher `[rows, width]`
 */
export function stateDistance(student: Tensor, teacher: Tensor, kind: "mse" | "cosine" = "mse"): Tensor {
  checkChoice("stateDistance", "kind", kind, ["mse", "cosine"]);
  if (kind === "mse") return student.sub(teacher).pow(2).mean();
  const length = (x: Tensor) => x.mul(x).sum(-1).add(1e-12).sqrt();
  const cosine = student
    .mul(teacher)
    .sum(-1)
    .div(length(student).mul(length(teacher)));
  return cosine.neg().add(1).mean();
}
