// Integer products of rounded activations and panels whose blocks have 256 columns, for linear.cc. With s the
// sums of q_w q_x and part, total those of the activations (round.cc):
//   a scale for 16 columns   acc += d_w (d_x s - middle part), or d_w d_x s + (m part + acc) with a minimum
//   a scale for 32 columns   acc += d_w sum(d_x s) + (m total + acc)
// An output's additions follow the columns, whatever R and P (product.h).
#pragma once
#include "scales.h"

namespace lensor::LENSOR_ISA {

// Half of 32 columns.
template <int T, int H, int R, int P>
LENSOR_INLINE void half_super(const uint8_t* const* bits, const i32v (*high)[kHigh<T>], const Group* group,
                              const int8_t* q, int64_t cols, const float* scale, const float* part,
                              f32v (&acc)[P][R]) {
  f32v f[P][R];
  half_block<T, H>(f, bits, high, q, cols);
  constexpr int kMiddle = T == LENSOR_Q6_K ? 32 : 4;
  LENSOR_ROWS(r) {
    const f32v dx = set1(scale[r * (cols / 16) + H]);
    const float own = part[r * (cols / 16) + H];
    LENSOR_PANELS(p) {
      const f32v d = group[p].scale[H];
      if constexpr (has_minimum(T))
        acc[p][r] = fma(d, mul(f[p][r], dx), fma(group[p].minimum[H], set1(own), acc[p][r]));
      else
        acc[p][r] = fma(d, fma(f[p][r], dx, set1(-kMiddle * own)), acc[p][r]);
    }
  }
}

template <int T, int R, int P>
LENSOR_INLINE void whole_super(const uint8_t* const* bits, const i32v (*high)[kHigh<T>], const Group* group,
                               const int8_t* q, int64_t cols, const float* scale, const float* total,
                               f32v (&acc)[P][R]) {
  f32v sum[P][R], f[P][R];
  half_block<T, 0>(f, bits, high, q, cols);
  LENSOR_ROWS(r) {
    const f32v d = set1(scale[r * (cols / 16)]);
    LENSOR_PANELS(p) sum[p][r] = mul(f[p][r], d);
  }
  half_block<T, 1>(f, bits, high, q, cols);
  LENSOR_ROWS(r) {
    const f32v d = set1(scale[r * (cols / 16) + 1]), all = set1(total[r * (cols / 32)]);
    LENSOR_PANELS(p)
    acc[p][r] = fma(group[p].scale[0], fma(f[p][r], d, sum[p][r]), fma(group[p].minimum[0], all, acc[p][r]));
  }
}

template <int T, int R, int P> LENSOR_INLINE void
tile_super(const uint8_t* const* panels, const lensor_activations* x, int64_t row, f32v (&acc)[P][R]) {
  const int64_t cols = x->cols;
  const int8_t* q = x->q8 + row * cols;
  const float *scale = x->scale8 + row * (cols / 16), *part = x->part8 + row * (cols / 16),
              *total = x->total8 + row * (cols / 32);
  LENSOR_PANELS(p) LENSOR_ROWS(r) acc[p][r] = zero();
  for (int64_t block = 0; block < cols / 256; block++)
    for (int b = 0; b < 8; b++, q += 32, scale += 2, part += 2, total++) {
      const uint8_t* bits[P];
      i32v high[P][kHigh<T>];
      Group group[P];
      LENSOR_PANELS(p) {
        const uint8_t* at = panels[p] + block * (16 * row_block_bytes(T));
        bits[p] = bits_of<T>(at, b);
        load_high<T>(bits[p], high[p]);
        group[p] = group_of<T>(at, b);
      }
      if constexpr (T == LENSOR_Q4_K || T == LENSOR_Q5_K) {
        whole_super<T>(bits, high, group, q, cols, scale, total, acc);
      } else {
        half_super<T, 0>(bits, high, group, q, cols, scale, part, acc);
        half_super<T, 1>(bits, high, group, q, cols, scale, part, acc);
      }
    }
}

} // namespace lensor::LENSOR_ISA
