// How much of a matrix goes: a share of it anywhere, or so many of each few columns that stand together. Checked here, once for
// all methods that set weights to zero.

import { LensorError } from "../errors.ts";
import type { ModelTensor } from "../model/config.ts";
import { checkNumber, describe } from "../options.ts";
import { partOf } from "../tune/targets.ts";

/** "2:4": of each four columns that stand together two stay. */
export type Pattern = `${number}:${number}`;

export interface ShareOptions {
  /** The share of weights that are set to zero: 0.5, or what the pattern says. */
  sparsity?: number;
  /** "2:4" or "4:8", or any n:m with m up to 64: in each row, of each m columns that stand together n stay. */
  pattern?: Pattern;
}

export interface Share {
  readonly sparsity: number;
  /** Of each `of` columns `keep` stay. */
  readonly pattern: { readonly keep: number; readonly of: number } | undefined;
}

/** @throws LensorError for a sparsity out of range, a pattern that is none, and two that contradict each other */
export function shareOf(call: string, { sparsity, pattern }: ShareOptions): Share {
  if (sparsity !== undefined) checkNumber(call, "sparsity", sparsity, { least: 0, most: 1 });
  if (pattern === undefined) return { sparsity: sparsity ?? 0.5, pattern: undefined };
  const [, keep, of] = /^(\d{1,2}):(\d{1,2})$/.exec(String(pattern)) ?? [];
  const [n, m] = [Number(keep), Number(of)];
  if (of === undefined || m < 2 || m > 64 || n >= m)
    throw new LensorError(`${call}: pattern is wrong`, {
      expected: `"2:4", "4:8" or another n:m with n below m, and m up to 64`,
      got: describe(pattern),
    });
  const own = 1 - n / m;
  if (sparsity !== undefined && Math.abs(sparsity - own) > 1e-9)
    throw new LensorError(`${call}: sparsity and pattern do not fit each other`, {
      expected: `sparsity ${own}, which is what ${pattern} leaves out, or none`,
      got: String(sparsity),
    });
  return { sparsity: own, pattern: { keep: n, of: m } };
}

/** @throws LensorError naming the matrix that the pattern does not fit, and what would */
export function checkWidths(
  call: string,
  { pattern }: Share,
  matrices: readonly Pick<ModelTensor, "name" | "shape">[],
): void {
  if (!pattern) return;
  const { keep, of } = pattern;
  const wrong = matrices.find(({ shape }) => shape[1]! % of !== 0);
  if (!wrong) return;
  const width = wrong.shape[1]!;
  const fits = [4, 8, 16, 32].filter((m) => matrices.every(({ shape }) => shape[1]! % m === 0));
  throw new LensorError(`${call}: the pattern ${keep}:${of} does not fit ${wrong.name}`, {
    expected: `a width that ${of} divides`,
    got: `${width} columns`,
    fix:
      fits.length > 0
        ? `Take groups of ${fits.join(" or ")} columns, or a sparsity without a pattern.`
        : "Take a sparsity without a pattern.",
  });
}

/** @throws LensorError where a method that knows only the blocks' matrices was asked for the head too */
export function refuseHead(
  call: string,
  method: string,
  matrices: readonly Pick<ModelTensor, "name">[],
): void {
  const head = matrices.find(({ name }) => !partOf(name));
  if (!head) return;
  throw new LensorError(`${call}: ${method} does not change ${head.name}`, {
    expected: "head: false, or magnitude, wanda or sparseGPT",
    got: "head: true",
  });
}
