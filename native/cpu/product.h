// Integer products of rounded activations and quantized panels (quant/panel.h), for linear.cc. T is the
// panel's type, R the rows of activations and P the panels of a tile; a tile loads each weight once for its
// rows and each activation once for its panels.
//   4 and 5 bits: for each 16 columns the integer sums s of q_w q_x; for each block
//     acc += m total + d sum(d_x s),   m the minimum, or -8 d and -16 d where the format has none
//   8 bits: acc += d d_x s for each block
// Blocks of 256 columns: product_super.h.
// An output's additions follow the blocks, whatever R and P.
#pragma once
#include "../quant/panel.h"
#include "vec.h"

namespace lensor::LENSOR_ISA {

// Loops over the rows and panels of a tile are unrolled early, or their accumulators would live on the stack.
#define LENSOR_ROWS(r) _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)
#define LENSOR_PANELS(p) _Pragma("GCC unroll 4") for (int p = 0; p < P; p++)

LENSOR_INLINE i32v four(const void* q) {
  int32_t bytes;
  memcpy(&bytes, q, 4);
  return set1i(bytes);
}

// Bits n to n + 1 of every byte of w, moved to `to` and cut out by the mask.
template <int N, int TO> LENSOR_INLINE i32v bits_at(i32v w, int32_t mask) {
  if constexpr (N < TO)
    return andi(shl<TO - N>(w), set1i(mask));
  else if constexpr (N > TO)
    return andi(shr<N - TO>(w), set1i(mask));
  else
    return andi(w, set1i(mask));
}

// Vectors of what stands above a type's nibbles, or in place of them.
template <int T> constexpr int kHigh = T == LENSOR_Q3_K ? 3 : 2;

// Twice the floats of 4 bits (a sign, two bits of exponent, one of mantissa), by their codes, and 12.
inline constexpr uint8_t kTwice[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

// 16 rows' scales, and what is taken from each code where a format has no minimum.
template <int T> LENSOR_INLINE f32v scale_of(const uint8_t* block) {
  if constexpr (T == LENSOR_MXFP4) return half_power((const int8_t*)block);
  return load_f16((const uint16_t*)block);
}
template <int T> constexpr int kMiddle = T == LENSOR_MXFP4                      ? 12
                                         : T == LENSOR_Q5_0 || T == LENSOR_Q5_1 ? 16
                                                                                : 8;

// Columns 16 H + 4 J to 16 H + 4 J + 3 of a block, as bytes.
template <int T, int H, int J> LENSOR_INLINE i32v weight_bytes_at(const uint8_t* nibbles, const i32v* high) {
  if constexpr (T == LENSOR_Q2_K || T == LENSOR_Q3_K) {
    const i32v two = bits_at<2 * J, 0>(high[H], 0x03030303);
    return T == LENSOR_Q2_K ? two : ori(two, bits_at<4 * H + J, 2>(high[kHigh<T> - 1], 0x04040404));
  }
  const i32v w = loadi(nibbles + 64 * J);
  const i32v low = andi(H ? shr<4>(w) : w, set1i(0x0f0f0f0f));
  if constexpr (T == LENSOR_Q5_0 || T == LENSOR_Q5_1 || T == LENSOR_Q5_K)
    return ori(low, bits_at<4 * H + J, 4>(high[0], 0x10101010));
  else if constexpr (T == LENSOR_Q6_K)
    return ori(low, bits_at<2 * J, 4>(high[H], 0x30303030));
  else if constexpr (T == LENSOR_MXFP4)
    return look_up(low, kTwice);
  else
    return low;
}

template <int T, int H, int J, int R, int P>
LENSOR_INLINE void gather4(i32v (&s)[P][R], const uint8_t* const* nibbles, const i32v (*high)[kHigh<T>],
                           const int8_t* q, int64_t cols) {
  i32v w[P];
  LENSOR_PANELS(p) w[p] = weight_bytes_at<T, H, J>(nibbles[p], high[p]);
  LENSOR_ROWS(r) {
    const i32v x = four(q + r * cols + 16 * H + 4 * J);
    LENSOR_PANELS(p) s[p][r] = T == LENSOR_Q6_K ? dot4_wide(s[p][r], w[p], x) : dot4(s[p][r], w[p], x);
  }
}

// The sums of half a block.
template <int T, int H, int R, int P>
LENSOR_INLINE void half_block(f32v (&f)[P][R], const uint8_t* const* nibbles, const i32v (*high)[kHigh<T>],
                              const int8_t* q, int64_t cols) {
  i32v s[P][R];
  LENSOR_PANELS(p) LENSOR_ROWS(r) s[p][r] = zeroi();
  gather4<T, H, 0>(s, nibbles, high, q, cols);
  gather4<T, H, 1>(s, nibbles, high, q, cols);
  gather4<T, H, 2>(s, nibbles, high, q, cols);
  gather4<T, H, 3>(s, nibbles, high, q, cols);
  LENSOR_PANELS(p) LENSOR_ROWS(r) f[p][r] = to_f32(T == LENSOR_Q6_K ? s[p][r] : sum4(s[p][r]));
}

// 4 and 5 bits.
template <int T, int R, int P> LENSOR_INLINE void
tile_low(const uint8_t* const* panels, const lensor_activations* x, int64_t row, f32v (&acc)[P][R]) {
  constexpr bool kMinimum = has_minimum(T), kFifth = T == LENSOR_Q5_0 || T == LENSOR_Q5_1;
  constexpr int kHead = 16 * scale_bytes(T) * (kMinimum ? 2 : 1), kNibbles = kHead + (kFifth ? 64 : 0),
                kSize = kNibbles + 256;
  const int64_t cols = x->cols, blocks = cols / LENSOR_BLOCK;
  const int8_t* q = x->q8 + row * cols;
  const float* scale = x->scale8 + row * blocks * 2;
  const float* total = x->total8 + row * blocks;
  const uint8_t* at[P];
  LENSOR_PANELS(p) at[p] = panels[p];
  LENSOR_PANELS(p) LENSOR_ROWS(r) acc[p][r] = zero();
  for (int64_t b = 0; b < blocks; b++, q += LENSOR_BLOCK, scale += 2, total++) {
    const uint8_t* nibbles[P];
    i32v high[P][kHigh<T>];
    LENSOR_PANELS(p) {
      nibbles[p] = at[p] + kNibbles;
      high[p][0] = high[p][1] = kFifth ? loadi(at[p] + kHead) : zeroi();
    }
    f32v sum[P][R], f[P][R];
    half_block<T, 0>(f, nibbles, high, q, cols);
    LENSOR_ROWS(r) {
      const f32v d = set1(scale[r * blocks * 2]);
      LENSOR_PANELS(p) sum[p][r] = mul(f[p][r], d);
    }
    half_block<T, 1>(f, nibbles, high, q, cols);
    LENSOR_ROWS(r) {
      const f32v d = set1(scale[r * blocks * 2 + 1]);
      LENSOR_PANELS(p) sum[p][r] = fma(f[p][r], d, sum[p][r]);
    }
    LENSOR_PANELS(p) {
      const f32v d = scale_of<T>(at[p]);
      const f32v m = kMinimum ? load_f16((const uint16_t*)(at[p] + 32)) : mul(d, set1(-kMiddle<T>));
      LENSOR_ROWS(r) acc[p][r] = fma(d, sum[p][r], fma(m, set1(total[r * blocks]), acc[p][r]));
      at[p] += kSize;
    }
  }
}

template <int R, int P> LENSOR_INLINE void tile_q8(const uint8_t* const* panels, const lensor_activations* x,
                                                   int64_t row, f32v (&acc)[P][R]) {
  const int64_t cols = x->cols, blocks = cols / LENSOR_BLOCK;
  const int16_t* q = x->q16 + row * cols;
  const float* scale = x->scale16 + row * blocks;
  LENSOR_PANELS(p) LENSOR_ROWS(r) acc[p][r] = zero();
  for (int64_t b = 0; b < blocks; b++, q += LENSOR_BLOCK) {
    i32v s[P][R];
    LENSOR_PANELS(p) LENSOR_ROWS(r) s[p][r] = zeroi();
    _Pragma("GCC unroll 8") for (int j = 0; j < 8; j++) {
      i32v even[P], odd[P];
      LENSOR_PANELS(p) {
        const i32v w = loadi(panels[p] + b * (16 * 34) + 32 + 64 * j);
        even[p] = even16(w), odd[p] = odd16(w);
      }
      LENSOR_ROWS(r) {
        const i32v low = four(q + r * cols + 4 * j), high = four(q + r * cols + 4 * j + 2);
        LENSOR_PANELS(p) s[p][r] = dot16(dot16(s[p][r], even[p], low), odd[p], high);
      }
    }
    LENSOR_PANELS(p) {
      const f32v d = load_f16((const uint16_t*)(panels[p] + b * (16 * 34)));
      LENSOR_ROWS(r) acc[p][r] = fma(to_f32(s[p][r]), mul(d, set1(scale[r * blocks + b])), acc[p][r]);
    }
  }
}

} // namespace lensor::LENSOR_ISA
