// Distillation: a student's next-token distributions drawn to its teacher's, by generalized Jensen-Shannon divergence, on given
// text and on replies of the student's own (Agarwal et al. 2023, arXiv 2306.13649), and, where asked, its residual stream to the
// teacher's (Sanh et al. 2019; Jiao et al. 2020). Plain settings; distill.ts puts them to work.

import { checkNames, checkNumber } from "../options.ts";

export interface GkdOptions {
  /** 0: forward KL(teacher || student), covering all that the teacher might say; 1: reverse KL; between them JSD: 0.5. */
  beta?: number;
  /** Both distributions are softened by it: 1. */
  temperature?: number;
  /** The share of batches whose texts the student writes itself, from their prompts: 0. */
  onPolicy?: number;
  /** What the mean squared difference of the residual streams counts: 0. */
  hidden?: number;
  /** What the cross entropy of the text's own tokens counts: 0. */
  labels?: number;
}

export interface Distillation {
  readonly name: "gkd";
  readonly options: Readonly<Required<GkdOptions>>;
}

/**
 * Generalized knowledge distillation (Agarwal et al. 2023, arXiv 2306.13649) for `model.distill`: a student's next-token
 * distributions are drawn to its teacher's by a Jensen-Shannon divergence, on given text and on replies of its own; where
 * asked, its residual stream too.
 * @throws LensorError for an option that is unknown or out of range
 */
export function gkd(options: GkdOptions = {}): Distillation {
  checkNames("gkd", options, ["beta", "temperature", "onPolicy", "hidden", "labels"]);
  const { beta = 0.5, temperature = 1, onPolicy = 0, hidden = 0, labels = 0 } = options;
  checkNumber("gkd", "beta", beta, { least: 0, most: 1 });
  checkNumber("gkd", "temperature", temperature, { least: 0, above: true });
  checkNumber("gkd", "onPolicy", onPolicy, { least: 0, most: 1 });
  checkNumber("gkd", "hidden", hidden, { least: 0 });
  checkNumber("gkd", "labels", labels, { least: 0 });
  return { name: "gkd", options: { beta, temperature, onPolicy, hidden, labels } };
}
