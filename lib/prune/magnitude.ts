// Pruning by magnitude (Han et al. 2015): the smallest weights of each matrix go. Looks at no text. The yardstick of the other
// methods.

import type { Compression } from "../compress/method.ts";
import { checkNames } from "../options.ts";
import { type ShareOptions, shareOf } from "./share.ts";
import { smallest } from "./smallest.ts";
import { sparse } from "./sparse.ts";

export interface MagnitudeOptions extends ShareOptions {}

/**
 * Pruning by magnitude (Han et al. 2015): the smallest weights of each matrix go. Needs no text; the yardstick of the other
 * methods.
 *
 * w' = 0 where |w| is among the smallest of its matrix, or of its group of columns where there is a pattern.
 */
export function magnitude(options: MagnitudeOptions = {}): Compression {
  checkNames("magnitude", options, ["sparsity", "pattern"]);
  const share = shareOf("magnitude", options);
  return sparse({
    ...{ name: "magnitude", options: { ...options, sparsity: share.sparsity }, share, blind: true },
    thin: (weight) => weight.where(smallest(weight.abs(), share, "matrix").eq(false), 0),
  });
}
