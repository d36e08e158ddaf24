// Columns of a panel as f32, [columns][16]: w = d q, d (q - 8) or d q + m, each product and sum rounded by
// itself as the format's own reference does. For exact mode and the embedding.
#pragma once
#include "../quant/panel.h"
#include "vec.h"

namespace lensor::LENSOR_ISA {

// One byte of each of 16 lanes of four, as f32.
LENSOR_INLINE f32v byte_f32(i32v w, int at) {
  switch (at) {
  case 0:
    return to_f32(andi(w, set1i(255)));
  case 1:
    return to_f32(andi(shr<8>(w), set1i(255)));
  case 2:
    return to_f32(andi(shr<16>(w), set1i(255)));
  default:
    return to_f32(shr<24>(w));
  }
}

LENSOR_INLINE void unpack_q4(const uint8_t* block, bool minimum, float* out) {
  const f32v d = load_f16((const uint16_t*)block);
  const f32v m = minimum ? load_f16((const uint16_t*)(block + 32)) : zero();
  const uint8_t* q = block + (minimum ? 64 : 32);
  const i32v low = set1i(0x0f0f0f0f);
  for (int j = 0; j < 4; j++) {
    const i32v w = loadi(q + 64 * j);
    const i32v halves[2] = {andi(w, low), andi(shr<4>(w), low)};
    for (int h = 0; h < 2; h++)
      for (int t = 0; t < 4; t++) {
        f32v v = byte_f32(halves[h], t);
        v = minimum ? add(mul(d, v), m) : mul(d, sub(v, set1(8)));
        store(out + (16 * h + 4 * j + t) * 16, v);
      }
  }
}

LENSOR_INLINE void unpack_q8(const uint8_t* block, float* out) {
  const f32v d = load_f16((const uint16_t*)block);
  for (int j = 0; j < 8; j++) {
    // With its sign bit flipped a signed byte is its value plus 128.
    const i32v w = xori(loadi(block + 32 + 64 * j), set1i((int32_t)0x80808080));
    for (int t = 0; t < 4; t++) store(out + (4 * j + t) * 16, mul(d, sub(byte_f32(w, t), set1(128))));
  }
}

// Columns [k, k + n) of a panel; for the block formats k is a multiple of 32 and n is 32.
LENSOR_INLINE void unpack(int32_t dtype, const uint8_t* panel, int64_t k, int n, float* out) {
  switch (dtype) {
  case LENSOR_Q4_0:
    return unpack_q4(panel + k / 32 * (16 * 18), false, out);
  case LENSOR_Q4_1:
    return unpack_q4(panel + k / 32 * (16 * 20), true, out);
  case LENSOR_Q8_0:
    return unpack_q8(panel + k / 32 * (16 * 34), out);
  case LENSOR_F16:
    for (int i = 0; i < n; i++) store(out + 16 * i, load_f16((const uint16_t*)panel + 16 * (k + i)));
    return;
  case LENSOR_BF16:
    for (int i = 0; i < n; i++) store(out + 16 * i, load_bf16((const uint16_t*)panel + 16 * (k + i)));
    return;
  default:
    for (int i = 0; i < n; i++) store(out + 16 * i, load((const float*)panel + 16 * (k + i)));
  }
}

} // namespace lensor::LENSOR_ISA
