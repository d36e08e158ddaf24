// Rows between the matrices of a decoder block, for block.cc and for a decoder's pass (layers.cc). A row's
// sum of squares is taken in 16 lanes along it and then across them, which depends on its width alone.
#pragma once
#include "kernels.h"

namespace lensor::LENSOR_ISA {

// out = x / sqrt(mean(x^2) + epsilon) * gain
static inline void norm_row(const float* x, const float* gain, float epsilon, int64_t width, float* out) {
  const int64_t whole = width / 16 * 16;
  const int rest = (int)(width - whole);
  f32v sum = zero();
  for (int64_t i = 0; i < whole; i += 16) sum = fma(load(x + i), load(x + i), sum);
  if (rest) {
    const f32v v = load_part(x + whole, rest, 0);
    sum = fma(v, v, sum);
  }
  const f32v scale = set1(1 / sqrtf(lane_sum(sum) / (float)width + epsilon));
  for (int64_t i = 0; i < whole; i += 16) store(out + i, mul(load(gain + i), mul(load(x + i), scale)));
  if (rest)
    store_part(out + whole, mul(load_part(gain + whole, rest, 0), mul(load_part(x + whole, rest, 0), scale)),
               rest);
}

// One head: halves (i, i + d/2) turned by cos, sin [d/2].
static inline void rope_head(float* head, int32_t width, const float* cos, const float* sin) {
  const int half = width / 2;
  float *a = head, *b = head + half;
  for (int i = 0; i < half; i += 16) {
    const int n = half - i < 16 ? half - i : 16;
    const f32v x = load_part(a + i, n, 0), y = load_part(b + i, n, 0);
    const f32v cosine = load_part(cos + i, n, 0), sine = load_part(sin + i, n, 0);
    store_part(a + i, sub(mul(x, cosine), mul(y, sine)), n);
    store_part(b + i, add(mul(y, cosine), mul(x, sine)), n);
  }
}

// gate = silu(gate) * up
static inline void gate_row(float* gate, const float* up, int64_t count) {
  for (int64_t i = 0; i < count; i += 16) {
    const int n = (int)(count - i < 16 ? count - i : 16);
    const f32v g = load_part(gate + i, n, 0);
    const f32v sigmoid = div(set1(1), add(set1(1), vexp(sub(zero(), g))));
    store_part(gate + i, mul(mul(g, sigmoid), load_part(up + i, n, 0)), n);
  }
}

} // namespace lensor::LENSOR_ISA
