// Grouped integers: what their names say, their stored rows (native/quant/grouped.h), and the blocks of GGUF that hold the very
// same numbers.

import type { WeightType } from "../model/config.ts";
import { GGUF_TYPES, type GgufType, ggufBytes } from "../model/gguf.ts";
import { type GroupedType, WEIGHT_TYPES } from "../native.ts";
import { enqueue } from "../tensor/queue.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Grouped {
  readonly bits: number;
  /** Columns that share a scale. */
  readonly group: number;
  /** w = scale (code - 2^(bits-1)); else w = scale code + minimum. */
  readonly symmetric: boolean;
}

export function groupedType({ bits, group, symmetric }: Grouped): GroupedType {
  return `${symmetric ? "I" : "U"}${bits}G${group}` as GroupedType;
}

/** What a type's name says; undefined where it is another's. */
export function groupedOf(type: string): Grouped | undefined {
  const [, kind, bits, group] = /^([IU])([234568])G(32|64|128)$/.exec(type) ?? [];
  return kind ? { bits: Number(bits), group: Number(group), symmetric: kind === "I" } : undefined;
}

/** Of the rows of one group. */
const groupBytes = ({ bits, group, symmetric }: Grouped) => (symmetric ? 2 : 4) + (group * bits) / 8;

/** What a row of so many columns is stored in; no whole number where the type's blocks do not divide it. */
export function rowBytes(type: WeightType, columns: number): number {
  const grouped = groupedOf(type);
  return grouped ? (columns / grouped.group) * groupBytes(grouped) : ggufBytes(type as GgufType, columns);
}

/**
 * Stored rows, u8 `[bytes]`.
 * @param codes f32 `[rows, groups, group]`, whole numbers from 0 to 2^bits - 1
 * @param scale Of any float type, `[rows, groups, 1]`, as f16 holds it; `minimum` the same, where the type has one
 */
export function groupRows(type: GroupedType, codes: Tensor, scale: Tensor, minimum?: Tensor): Tensor {
  const [rows, groups] = codes.shape as [number, number];
  const shape = [rows * groups * groupBytes(groupedOf(type)!)];
  const shared = [scale, ...(minimum ? [minimum] : [])].map((x) => x.cast("f16").contiguous());
  return enqueue("groupRows", [WEIGHT_TYPES[type]], { name: type, dtype: "u8", shape }, [
    codes.contiguous(),
    ...shared,
  ]);
}

/** The smallest type of GGUF that holds the same numbers, bit for bit. Codes of more than 5 bits with a minimum have none but floats. */
export function ggufTypeOf(type: WeightType): GgufType {
  if (type in GGUF_TYPES) return type as GgufType;
  const grouped = groupedOf(type);
  // Without zeros it is f16 with them; a product of factors needs every bit.
  if (!grouped) return type === "FACTORS" ? "F32" : "F16";
  const { bits, symmetric } = grouped;
  if (bits <= 4) return symmetric ? "Q4_0" : "Q4_1";
  if (bits === 5) return symmetric ? "Q5_0" : "Q5_1";
  return symmetric ? "Q8_0" : "F32";
}

/** Stored rows as the blocks of `ggufTypeOf`, where these are blocks: each takes its group's scale as it is. */
export function ggufBlocks(type: GroupedType, stored: Uint8Array): Uint8Array {
  const { bits, group, symmetric } = groupedOf(type)!;
  const [head, size] = [symmetric ? 2 : 4, groupBytes({ bits, group, symmetric })];
  const wide = bits > 5 ? 8 : bits > 4 ? 5 : 4;
  const block = head + 4 * wide;
  const out = new Uint8Array((stored.length / size) * (group / 32) * block);
  const codes = new Uint8Array(group);
  // The middle of the codes there.
  const shift = symmetric ? 2 ** (wide - 1) - 2 ** (bits - 1) : 0;
  let at = 0;
  for (let from = 0; from < stored.length; from += size) {
    readCodes(stored.subarray(from + head, from + size), bits, codes);
    for (let k = 0; k < group; k += 32, at += block) {
      out.set(stored.subarray(from, from + head), at);
      putBlock(codes.subarray(k, k + 32), shift, wide, out.subarray(at + head, at + block));
    }
  }
  return out;
}

function readCodes(bytes: Uint8Array, bits: number, codes: Uint8Array): void {
  let [held, have, from] = [0, 0, 0];
  for (let i = 0; i < codes.length; i++) {
    if (have < bits) {
      held |= bytes[from++]! << have;
      have += 8;
    }
    codes[i] = held & ((1 << bits) - 1);
    held >>= bits;
    have -= bits;
  }
}

/** Q8_0 has signed bytes; the others nibbles, those of Q5_0 and Q5_1 with a word of fifth bits before them. */
function putBlock(codes: Uint8Array, shift: number, wide: number, out: Uint8Array): void {
  if (wide === 8) {
    for (let i = 0; i < 32; i++) out[i] = codes[i]! + shift - 128;
    return;
  }
  const nibbles = wide === 5 ? 4 : 0;
  for (let i = 0; i < 32; i++) {
    const code = codes[i]! + shift;
    out[nibbles + (i % 16)]! |= (code & 15) << (i < 16 ? 0 : 4);
    if (nibbles) out[i >> 3]! |= (code >> 4) << (i & 7);
  }
}
