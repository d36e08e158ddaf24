// Rounding to nearest: each weight to the nearest of the numbers that its group can have. Needs no text. The yardstick of all
// other methods.

import type { Compression } from "../compress/method.ts";
import { checkNames } from "../options.ts";
import { type GridOptions, gridOf } from "./grid.ts";
import { NEAREST, quantizer } from "./quantizer.ts";

/**
 * Rounding to nearest: each weight to the nearest of the numbers that its group can have. Needs no text; the yardstick of
 * all other methods.
 *
 * w' = scale (code - 2^(bits-1)), scale = 2 max|w| / (2^bits - 1) of the group; without `symmetric` w' = scale code + minimum,
 * scale = (max - min) / (2^bits - 1).
 */
export function rtn(options: GridOptions = {}): Compression {
  checkNames("rtn", options, ["bits", "group", "symmetric"]);
  const grid = gridOf("rtn", options);
  return quantizer({
    name: "rtn",
    options: { ...grid },
    grid: () => grid,
    blind: true,
    begin: () => NEAREST,
  });
}
