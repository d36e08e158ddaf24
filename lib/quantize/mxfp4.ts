// MXFP4 (Open Compute Project, Microscaling Formats 1.0, 2023): numbers of four bits, a sign, two of an exponent and one after the
// point, of which 32 share a power of two. Needs no text. Kept in the blocks that GGUF has for it.

import type { Compression } from "../compress/method.ts";
import { LensorError } from "../errors.ts";
import { unpacked } from "../model/weights.ts";
import { upload } from "../tensor/queue.ts";

const BLOCK = 32;
/** Without the sign: 0, 0.5, 1, 1.5, 2, 3, 4, 6. Between two of them the middle belongs to the even code. */
const MIDDLES = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5];

/**
 * MXFP4 (Open Compute Project, Microscaling Formats 1.0, 2023): numbers of four bits, of which 32 share a power of two.
 * Needs no text.
 *
 * w' = 2^e c, e = floor(log2 max|w|) - 2 of the 32, c the nearest of the sixteen; what is above 6 becomes 6.
 */
export function mxfp4(): Compression {
  return {
    ...{ verb: "quantize", name: "mxfp4", options: { group: BLOCK } },
    check(call, matrices) {
      const odd = matrices.find(({ shape }) => shape[1]! % BLOCK !== 0);
      if (!odd) return;
      throw new LensorError(`${call}: blocks of 32 do not divide ${odd.name}, ${odd.shape[1]} columns wide`, {
        expected: "columns that are a multiple of 32",
        fix: "Take a model of another width.",
      });
    },
    async apply(work) {
      for (const [i, { name }] of work.matrices.entries()) {
        work.progress(i);
        const weight = unpacked(work.model, name);
        const rows = rowsOf((await weight.data()) as Float32Array);
        weight.dispose();
        const stored = upload(rows, [rows.length], "u8", "MXFP4");
        try {
          await work.replace({ name, type: "MXFP4" }, stored, { notes: { codes: 4, group: BLOCK } });
        } finally {
          stored.dispose();
        }
      }
    },
  };
}

/** For each 32 the exponent, 127 more than it is, then nibbles: column i low, column 16 + i high. */
export function rowsOf(values: Float32Array): Uint8Array {
  const rows = new Uint8Array((values.length / BLOCK) * 17);
  for (let block = 0; block < values.length / BLOCK; block++) {
    let most = 0;
    for (let i = 0; i < BLOCK; i++) most = Math.max(most, Math.abs(values[BLOCK * block + i]!));
    const exponent = most > 0 ? Math.max(-127, Math.min(127, Math.floor(Math.log2(most)) - 2)) : -127;
    rows[17 * block] = exponent + 127;
    for (let i = 0; i < BLOCK; i++)
      rows[17 * block + 1 + (i % 16)]! |=
        codeOf(values[BLOCK * block + i]! / 2 ** exponent) << (i < 16 ? 0 : 4);
  }
  return rows;
}

function codeOf(x: number): number {
  const size = Math.abs(x);
  let code = 0;
  for (const [below, middle] of MIDDLES.entries())
    if (size > middle || (size === middle && below % 2 === 1)) code = below + 1;
  return code + (x < 0 ? 8 : 0);
}
