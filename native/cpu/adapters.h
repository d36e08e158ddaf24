// What stands beside a frozen weight, for linear.cc and a decoder's pass (layers.cc): for one row
//   u = scale A x,   y = gain (y + B u),   one adapter after the other.
// The sums of u are taken in 16 lanes along x and then across them, those of y along u: orders that depend on
// their lengths alone.
#pragma once
#include "kernels.h"

namespace lensor::LENSOR_ISA {

template <int R> LENSOR_INLINE void inner_rows(const float* x, int64_t cols, const lensor_adapter* a,
                                               int64_t first, float* out) {
  const float* down = a->down + first * LENSOR_PANEL;
  const int64_t step = a->rank * LENSOR_PANEL;
  const int64_t whole = cols / 16 * 16;
  const int rest = (int)(cols - whole);
  f32v sum[R];
  _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) sum[r] = zero();
  for (int64_t k = 0; k < whole; k += 16, down += step) {
    const f32v v = load(x + k);
    _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) sum[r] = fma(load(down + 16 * r), v, sum[r]);
  }
  if (rest) {
    const f32v v = load_part(x + whole, rest, 0);
    _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) sum[r] = fma(load(down + 16 * r), v, sum[r]);
  }
  _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) out[first + r] = lane_sum(sum[r]) * a->scale;
}

// scale A x of each adapter beside one weight, one after the other.
static inline void inner_row(const lensor_adapters* all, const float* x, int64_t cols, float* out) {
  for (int32_t i = 0; i < all->count; i++) {
    const lensor_adapter* a = all->each + i;
    int64_t r = 0;
    for (; r + 8 <= a->rank; r += 8) inner_rows<8>(x, cols, a, r, out);
    for (; r < a->rank; r++) inner_rows<1>(x, cols, a, r, out);
    out += a->rank;
  }
}

// What the weight gives for outputs [16 panel, 16 panel + 16), with its adapters.
LENSOR_INLINE f32v adapted(const lensor_adapters* all, const float* inner, int64_t panel, f32v y) {
  for (int32_t i = 0; i < all->count; i++) {
    const lensor_adapter* a = all->each + i;
    const float* up = a->up + panel * a->rank * LENSOR_PANEL;
    for (int64_t r = 0; r < a->rank; r++) y = fma(load(up + 16 * r), set1(inner[r]), y);
    inner += a->rank;
    if (a->gain) y = mul(y, load(a->gain + panel * LENSOR_PANEL));
  }
  return y;
}

} // namespace lensor::LENSOR_ISA
