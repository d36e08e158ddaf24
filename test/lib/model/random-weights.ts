// Weights drawn from a seed, as GGUF's bytes and as the numbers that GGUF says these bytes are. Blocks are drawn as blocks,
// so nothing is rounded here and no encoder can be wrong together with the decoder under test.
// Formats: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h

import type { GgufType } from "../../../lib/model/gguf.ts";

export interface RandomTensor {
  readonly type: GgufType;
  readonly data: Uint8Array;
  /** Row-major. */
  readonly values: Float64Array;
}

/** A number in [0, 1) from each call: mulberry32. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** ggml's number, elements and bytes of a block. */
export const BLOCKS: Record<GgufType, { code: number; elements: number; bytes: number }> = {
  F32: { code: 0, elements: 1, bytes: 4 },
  F16: { code: 1, elements: 1, bytes: 2 },
  BF16: { code: 30, elements: 1, bytes: 2 },
  Q4_0: { code: 2, elements: 32, bytes: 18 },
  Q4_1: { code: 3, elements: 32, bytes: 20 },
  Q5_0: { code: 6, elements: 32, bytes: 22 },
  Q5_1: { code: 7, elements: 32, bytes: 24 },
  Q2_K: { code: 10, elements: 256, bytes: 84 },
  Q3_K: { code: 11, elements: 256, bytes: 110 },
  Q4_K: { code: 12, elements: 256, bytes: 144 },
  Q5_K: { code: 13, elements: 256, bytes: 176 },
  Q6_K: { code: 14, elements: 256, bytes: 210 },
  Q8_0: { code: 8, elements: 32, bytes: 34 },
  MXFP4: { code: 39, elements: 32, bytes: 17 },
};

type Super = "Q2_K" | "Q3_K" | "Q4_K" | "Q5_K";

/** Sixteen numbers of six bits in twelve bytes: eight scales, then eight minima. */
const six = (q: Uint8Array, group: number, minimum: boolean) =>
  group < 4
    ? q[group + (minimum ? 4 : 0)]! & 63
    : ((q[group + 4]! >> (minimum ? 4 : 0)) & 15) | ((q[group - (minimum ? 0 : 4)]! >> 6) << 4);

/** Where a block's scale stands and what tames it; where its minimum, and what it is in scales; and a column in units of both. */
const SUPER: Record<
  Super,
  { d: [number, number]; minimum?: [number, number]; column(block: Uint8Array, j: number): [number, number] }
> = {
  Q2_K: {
    ...{ d: [80, 15], minimum: [82, 1.5] },
    column(block, j) {
      const two = (block[16 + 32 * (j >> 7) + (j & 31)]! >> (2 * ((j >> 5) & 3))) & 3;
      return [(block[j >> 4]! & 15) * two, block[j >> 4]! >> 4];
    },
  },
  Q3_K: {
    d: [108, 50],
    column(block, j) {
      const [two, group] = [(block[32 + 32 * (j >> 7) + (j & 31)]! >> (2 * ((j >> 5) & 3))) & 3, j >> 4];
      const low = (block[96 + (group & 7)]! >> (group < 8 ? 0 : 4)) & 15;
      const upper = (block[104 + (group & 3)]! >> (2 * (group >> 2))) & 3;
      return [((low | (upper << 4)) - 32) * (two - ((block[j & 31]! >> (j >> 5)) & 1 ? 0 : 4)), 0];
    },
  },
  Q4_K: {
    ...{ d: [0, 240], minimum: [2, 7.5] },
    column(block, j) {
      const [scales, group] = [block.subarray(4), j >> 5];
      const q = (block[16 + 32 * (j >> 6) + (j & 31)]! >> (4 * (group & 1))) & 15;
      return [six(scales, group, false) * q, six(scales, group, true)];
    },
  },
  Q5_K: {
    ...{ d: [0, 480], minimum: [2, 15.5] },
    column(block, j) {
      const [scales, group] = [block.subarray(4), j >> 5];
      const low = (block[48 + 32 * (j >> 6) + (j & 31)]! >> (4 * (group & 1))) & 15;
      const fifth = (block[16 + (j & 31)]! >> group) & 1;
      return [six(scales, group, false) * (low | (fifth << 4)), six(scales, group, true)];
    },
  },
};

/** Bits of a positive half-precision number: cut to eleven digits, and no smaller than the least normal one. */
function halfBits(value: number): number {
  const normal = Math.max(value, 2 ** -14);
  const exponent = Math.floor(Math.log2(normal));
  return ((exponent + 15) << 10) | Math.floor((normal / 2 ** exponent - 1) * 1024);
}
const halfOf = (bits: number) =>
  (bits & 0x8000 ? -1 : 1) * (1 + (bits & 1023) / 1024) * 2 ** (((bits >> 10) & 31) - 15);

/** `count` weights of about the size `scale`, `count` a multiple of the type's block. */
export function randomTensor(
  type: GgufType,
  count: number,
  scale: number,
  random: () => number,
): RandomTensor {
  const { elements, bytes } = BLOCKS[type];
  const data = new Uint8Array((count / elements) * bytes);
  const view = new DataView(data.buffer);
  const values = new Float64Array(count);
  const half = (at: number, value: number) => {
    const bits = halfBits(Math.abs(value)) | (value < 0 ? 0x8000 : 0);
    view.setUint16(at, bits, true);
    return halfOf(bits);
  };
  const some = () => scale * (random() + random() + random() - 1.5) * 2 || scale;
  const byte = () => Math.floor(random() * 256);
  for (let i = 0, at = 0; i < count; i += elements, at += bytes) {
    if (type === "F32") {
      view.setFloat32(at, some(), true);
      values[i] = view.getFloat32(at, true);
    } else if (type === "F16") values[i] = half(at, some());
    else if (type === "BF16") {
      // The upper half of an f32.
      const wide = new DataView(new ArrayBuffer(4));
      wide.setFloat32(0, some(), true);
      wide.setUint16(0, 0, true);
      view.setUint16(at, wide.getUint16(2, true), true);
      values[i] = wide.getFloat32(0, true);
    } else if (type === "Q8_0") {
      const d = half(at, (scale * (0.5 + random())) / 70);
      for (let j = 0; j < 32; j++) {
        view.setInt8(at + 2 + j, byte() - 128);
        values[i + j] = d * view.getInt8(at + 2 + j);
      }
    } else if (type === "Q2_K" || type === "Q3_K" || type === "Q4_K" || type === "Q5_K") {
      for (let j = 0; j < bytes; j++) data[at + j] = byte();
      const {
        d: [where, less],
        minimum,
        column,
      } = SUPER[type];
      const d = half(at + where, (scale * (0.5 + random())) / less);
      const m = minimum === undefined ? 0 : half(at + minimum[0], d * minimum[1] * (0.8 + 0.4 * random()));
      for (let j = 0; j < 256; j++) {
        const [times, minima] = column(data.subarray(at, at + bytes), j);
        values[i + j] = d * times - m * minima;
      }
    } else if (type === "Q6_K") {
      // 128 bytes of low nibbles, 64 of upper bits, 16 scales, and a scale of the whole.
      for (let j = 0; j < 208; j++) data[at + j] = byte();
      const d = half(at + 208, (scale * (0.5 + random())) / 1200);
      for (let j = 0; j < 256; j++) {
        const [part, quarter, l] = [j >> 7, (j >> 5) & 3, j & 31];
        const low = (data[at + 64 * part + 32 * (quarter & 1) + l]! >> (quarter < 2 ? 0 : 4)) & 15;
        const upper = (data[at + 128 + 32 * part + l]! >> (2 * quarter)) & 3;
        values[i + j] = d * view.getInt8(at + 192 + (j >> 4)) * ((low | (upper << 4)) - 32);
      }
    } else if (type === "MXFP4") {
      // An exponent e, then floats of 4 bits as twice their value times 2^(e - 128): nibbles in the order of Q4_0.
      const e = (data[at] = 127 + Math.round(Math.log2((scale * (0.5 + random())) / 3)));
      for (let j = 0; j < 32; j++) {
        if (j < 16) data[at + 1 + j] = byte();
        const code = (data[at + 1 + (j & 15)]! >> (j < 16 ? 0 : 4)) & 15;
        const size = [0, 0.5, 1, 1.5, 2, 3, 4, 6][code & 7]!;
        values[i + j] = (code & 8 ? -size : size) * 2 ** (e - 127);
      }
    } else if (type === "Q5_0" || type === "Q5_1") {
      const minimum = type === "Q5_1";
      const d = half(at, (scale * (0.5 + random())) / 8);
      const m = minimum ? half(at + 2, -16 * d * (0.8 + 0.4 * random())) : -16 * d;
      const bits = at + (minimum ? 4 : 2);
      for (let j = 0; j < 20; j++) data[bits + j] = byte();
      const fifth = view.getUint32(bits, true);
      for (let j = 0; j < 32; j++) {
        const nibble = (data[bits + 4 + (j & 15)]! >> (j < 16 ? 0 : 4)) & 15;
        values[i + j] = d * (nibble | (((fifth >>> j) & 1) << 4)) + m;
      }
    } else {
      const minimum = type === "Q4_1";
      const d = half(at, (scale * (0.5 + random())) / 4);
      const m = minimum ? half(at + 2, -8 * d * (0.8 + 0.4 * random())) : -8 * d;
      for (let j = 0; j < 16; j++) {
        const q = (data[at + (minimum ? 4 : 2) + j] = byte());
        values[i + j] = d * (q & 15) + m;
        values[i + j + 16] = d * (q >> 4) + m;
      }
    }
  }
  return { type, data, values };
}
