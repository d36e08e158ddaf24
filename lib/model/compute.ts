// The two numeric modes (design: "Two numeric modes, and results say which").

import { checkChoice } from "../options.ts";

/**
 * `"exact"`: f32 activations and accumulation, weights dequantized in registers.
 * `"fast"`: activations rounded to 8 bits in blocks of 32, integer products.
 */
export type Compute = "exact" | "fast";

export function checkCompute(call: string, compute: unknown): void {
  if (compute !== undefined) checkChoice(call, "compute", compute, ["exact", "fast"]);
}
