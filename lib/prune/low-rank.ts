// Matrices of low rank: W as the product of two thin ones, kept as such, so that bytes and work shrink with the rank. Whitened,
// what is lost is measured in what the matrix puts out on the texts (SVD-LLM, Wang et al. 2025, arXiv 2403.07378); plain, in
// the matrix itself.

import type { LayerInput } from "../calibrate/walk.ts";
import type { Compression, Work } from "../compress/method.ts";
import type { Factors } from "../model/build.ts";
import { expectedTensors } from "../model/config.ts";
import { unpacked } from "../model/weights.ts";
import { checkChoice, checkFlag, checkNames, checkNumber } from "../options.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import { type Ranks, ranksOf, type Spectrum } from "./ranks.ts";
import { refuseHead } from "./share.ts";
import { decomposed, rootsOf, type Whitening } from "./svd.ts";

export interface LowRankOptions {
  /** The share of the matrices' numbers that is left, both factors counted: 0.5. */
  keep?: number;
  /** The same rank for every matrix, in place of `keep`. A matrix that has no more is left as it is. */
  rank?: number;
  /** Measured on the texts; else the matrices alone, without texts. */
  whitened?: boolean;
  /**
   * How `keep` is shared out: "even", the same share of each matrix, or "energy", where a number is worth most: the ranks with
   * the largest part of their matrix's output for their size. That reads the texts once more beforehand.
   */
  ranks?: Ranks;
}

/**
 * Matrices as products of two thin ones, kept as such, so that bytes and work shrink with the rank. Whitened, what is lost
 * is measured in what the matrix puts out on the texts (SVD-LLM, Wang et al. 2025, arXiv 2403.07378); plain, in the matrix
 * itself.
 *
 * The best W' of rank r: of all such it has the least tr((W - W') H (W - W')^T), or unwhitened the least ||W - W'||.
 */
export function lowRank(options: LowRankOptions = {}): Compression {
  const call = "lowRank";
  checkNames(call, options, ["keep", "rank", "whitened", "ranks"]);
  const { keep = 0.5, rank, whitened = true, ranks = "even" } = options;
  checkNumber(call, "keep", keep, { least: 0, above: true, most: 1 });
  if (rank !== undefined) checkNumber(call, "rank", rank, { least: 1, whole: true });
  checkFlag(call, "whitened", whitened);
  checkChoice(call, "ranks", ranks, ["even", "energy"]);
  return {
    ...{ verb: "prune", name: "lowRank" },
    options: { ...(rank === undefined ? { keep, ranks } : { rank }), whitened },
    check: (verb, matrices) => refuseHead(verb, call, matrices),
    async apply(work) {
      const spectra: Spectrum[] = [];
      if (rank === undefined && ranks === "energy")
        await each(work, whitened, async (name, _, white) => {
          spectra.push(await spectrumOf(work, name, white));
        });
      const chosen = ranksOf(shapesOf(work), { keep, rank, spectra });
      await each(work, whitened, async (name, input, white) => {
        const r = chosen.get(name);
        if (r !== undefined) await replace(work, name, r, input, white);
      });
    },
  };
}

type Visitor = (name: string, input: LayerInput | undefined, white: Whitening | undefined) => Promise<void>;

/** Every matrix of a block, with what enters it where there are texts. */
async function each(work: Work, whitened: boolean, visit: Visitor): Promise<void> {
  if (!whitened && !work.calibrated) {
    for (const [i, { name }] of work.matrices.entries()) {
      work.progress(i);
      await visit(name, undefined, undefined);
    }
    return;
  }
  await work.calibrate(async (input) => {
    const { names } = input;
    const tall = names.some((name) => {
      const [rows, columns] = shapeOf(work, name);
      return rows > columns;
    });
    const roots = whitened && tall ? noGrad(() => rootsOf(input.hessian)) : undefined;
    const white = whitened ? { hessian: input.hessian, roots } : undefined;
    for (const name of names) await visit(name, input, white);
    roots?.dispose();
    return undefined;
  });
}

function shapeOf(work: Work, name: string): [number, number] {
  return expectedTensors(work.model.config).get(name)! as [number, number];
}

function shapesOf(work: Work): Map<string, [number, number]> {
  return new Map(work.matrices.map(({ name }) => [name, shapeOf(work, name)]));
}

async function spectrumOf(work: Work, name: string, white: Whitening | undefined): Promise<Spectrum> {
  const found = noGrad(() => scope(() => decomposed(unpacked(work.model, name), white).energy));
  const energy = (await found.data()) as Float32Array;
  found.dispose();
  return { name, energy };
}

async function replace(
  work: Work,
  name: string,
  rank: number,
  input: LayerInput | undefined,
  white: Whitening | undefined,
): Promise<void> {
  const factors: Factors = noGrad(() =>
    scope(() => {
      const { down, up } = decomposed(unpacked(work.model, name), white).factors(rank);
      return { down: down.cast("f16").contiguous(), up: up.cast("f16").contiguous() };
    }),
  );
  try {
    const about = { ...(input && { hessian: input.hessian }), notes: { rank } };
    await work.replace({ name, type: "FACTORS" }, factors, about);
  } finally {
    for (const one of [factors.down, factors.up]) one.dispose();
  }
}
