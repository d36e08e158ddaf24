// Columns of a panel as f32, [columns][16]: w = d q, d (q - offset) or d q + m, each product and sum rounded
// by itself as the format's own reference does. For exact mode and the embedding.
#pragma once
#include "grouped.h"
#include "scales.h"

namespace lensor::LENSOR_ISA {

// The 32 columns whose low nibbles stand at `nibbles` and whose fifth (and sixth) bits `high` gives, which
// pass through `value` as integers.
template <int T, int H, int J, class F>
LENSOR_INLINE void unpack_four(const uint8_t* nibbles, const i32v* high, const F& value, float* out) {
  const i32v w = weight_bytes_at<T, H, J>(nibbles, high);
  for (int t = 0; t < 4; t++) store(out + (16 * H + 4 * J + t) * 16, value(byte_f32(w, t), H));
}
template <int T, class F>
LENSOR_INLINE void unpack_nibbles(const uint8_t* nibbles, const i32v* high, const F& value, float* out) {
  unpack_four<T, 0, 0>(nibbles, high, value, out), unpack_four<T, 0, 1>(nibbles, high, value, out);
  unpack_four<T, 0, 2>(nibbles, high, value, out), unpack_four<T, 0, 3>(nibbles, high, value, out);
  unpack_four<T, 1, 0>(nibbles, high, value, out), unpack_four<T, 1, 1>(nibbles, high, value, out);
  unpack_four<T, 1, 2>(nibbles, high, value, out), unpack_four<T, 1, 3>(nibbles, high, value, out);
}

template <int T> LENSOR_INLINE void unpack_low(const uint8_t* block, float* out) {
  constexpr bool kMinimum = has_minimum(T), kFifth = T == LENSOR_Q5_0 || T == LENSOR_Q5_1;
  constexpr int kHead = 16 * scale_bytes(T) * (kMinimum ? 2 : 1);
  const f32v d = scale_of<T>(block);
  const f32v m = kMinimum ? load_f16((const uint16_t*)(block + 32)) : set1(kMiddle<T>);
  const i32v high = kFifth ? loadi(block + kHead) : zeroi();
  unpack_nibbles<T>(
      block + kHead + (kFifth ? 64 : 0), &high,
      [&](f32v v, int) { return kMinimum ? add(mul(d, v), m) : mul(d, sub(v, m)); }, out);
}

// 32 columns of a block of 256, the at-th.
template <int T> LENSOR_INLINE void unpack_super(const uint8_t* block, int at, float* out) {
  const Group group = group_of<T>(block, at);
  const uint8_t* bits = bits_of<T>(block, at);
  i32v high[kHigh<T>];
  load_high<T>(bits, high);
  constexpr int kOffset = T == LENSOR_Q6_K ? 32 : 4;
  unpack_nibbles<T>(
      bits, high,
      [&](f32v v, int half) {
        return has_minimum(T) ? add(mul(group.scale[half], v), group.minimum[half])
                              : mul(group.scale[half], sub(v, set1(kOffset)));
      },
      out);
}

LENSOR_INLINE void unpack_q8(const uint8_t* block, float* out) {
  const f32v d = load_f16((const uint16_t*)block);
  for (int j = 0; j < 8; j++) {
    // With its sign bit flipped a signed byte is its value plus 128.
    const i32v w = xori(loadi(block + 32 + 64 * j), set1i((int32_t)0x80808080));
    for (int t = 0; t < 4; t++) store(out + (4 * j + t) * 16, mul(d, sub(byte_f32(w, t), set1(128))));
  }
}

// 16 columns of a block that keeps some of them.
LENSOR_INLINE void unpack_sparse(const uint8_t* block, int kept, float* out) {
  const uint8_t* places = block + 64 * kept;
  memset(out, 0, 16 * LENSOR_PANEL * sizeof(float));
  for (int i = 0; i < 2 * kept; i++) {
    float values[LENSOR_PANEL];
    store(values, load_f16((const uint16_t*)block + 16 * i));
    for (int r = 0; r < LENSOR_PANEL; r++)
      out[(places[r * kept + i / 2] >> (4 * (i % 2)) & 15) * LENSOR_PANEL + r] = values[r];
  }
}

// Columns [k, k + n) of a panel; for the block formats k is a multiple of 32 and n is 32.
LENSOR_INLINE void unpack(int32_t dtype, const uint8_t* panel, int64_t k, int n, float* out) {
  if (is_sparse(dtype)) {
    const int kept = sparse_kept(dtype);
    for (int i = 0; i < n; i += 16) unpack_sparse(panel + (k + i) * 5 * kept, kept, out + 16 * i);
    return;
  }
  if (is_grouped(dtype)) return unpack_grouped(dtype, panel, k, out);
  switch (dtype) {
  case LENSOR_Q4_0:
    return unpack_low<LENSOR_Q4_0>(panel + k / 32 * (16 * 18), out);
  case LENSOR_Q4_1:
    return unpack_low<LENSOR_Q4_1>(panel + k / 32 * (16 * 20), out);
  case LENSOR_Q5_0:
    return unpack_low<LENSOR_Q5_0>(panel + k / 32 * (16 * 22), out);
  case LENSOR_Q5_1:
    return unpack_low<LENSOR_Q5_1>(panel + k / 32 * (16 * 24), out);
  case LENSOR_Q2_K:
    return unpack_super<LENSOR_Q2_K>(panel + k / 256 * (16 * 84), (int)(k % 256 / 32), out);
  case LENSOR_Q3_K:
    return unpack_super<LENSOR_Q3_K>(panel + k / 256 * (16 * 110), (int)(k % 256 / 32), out);
  case LENSOR_Q4_K:
    return unpack_super<LENSOR_Q4_K>(panel + k / 256 * (16 * 144), (int)(k % 256 / 32), out);
  case LENSOR_Q5_K:
    return unpack_super<LENSOR_Q5_K>(panel + k / 256 * (16 * 176), (int)(k % 256 / 32), out);
  case LENSOR_MXFP4:
    return unpack_low<LENSOR_MXFP4>(panel + k / 32 * (16 * 17), out);
  case LENSOR_Q6_K:
    return unpack_super<LENSOR_Q6_K>(panel + k / 256 * (16 * 210), (int)(k % 256 / 32), out);
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
