// Rounding to nearest: each weight to the nearest of the numbers that its group can have. Looks at no text. The yardstick of
// all other methods.

import type { Compression } from "../compress/method.ts";
import { unpacked } from "../model/weights.ts";
import { checkNames } from "../options.ts";
import { scope } from "../tensor/scope.ts";
import { checkFormat, formatOf, rowsOf } from "./format.ts";
import { codesOf, type GridOptions, gridOf, spread } from "./grid.ts";

/**
 * w' = scale (code - 2^(bits-1)), scale = 2 max|w| / (2^bits - 1) of the group; without `symmetric` w' = scale code + minimum,
 * scale = (max - min) / (2^bits - 1).
 */
export function rtn(options: GridOptions = {}): Compression {
  checkNames("rtn", options, ["bits", "group", "symmetric"]);
  const grid = gridOf("rtn", options);
  return {
    ...{ verb: "quantize", name: "rtn", options: { ...grid } },
    check: (call, matrices) => checkFormat(call, grid, matrices),
    async apply(work) {
      for (const [i, { name, shape }] of work.matrices.entries()) {
        work.progress(i);
        const format = formatOf(work.call, grid, name, shape[1]!);
        const { type, bits, group, symmetric } = format;
        const { codes, scales } = scope(() => {
          const groups = unpacked(work.model, name).reshape(shape[0]!, -1, group);
          const scales = spread(groups, bits, symmetric);
          return { scales, codes: codesOf(groups, scales, bits) };
        });
        const stored = await rowsOf(codes, scales, format);
        await work.replace({ name, type }, stored, { notes: { group } });
        for (const one of [codes, scales.scale, scales.offset, stored]) one.dispose();
      }
    },
  };
}
