// Rotary embedding of many rows by their positions, for training (Su et al. 2021). Reads x wherever its rows
// stand, as part of a wider matrix too; writes contiguous rows.
#include "kernels.h"
#include "lanes.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

// Halves a = x[.., i], b = x[.., i + width/2] by the angle of position and i:
//   a' = a cos - b sin,   b' = b cos + a sin;   inverse: the sines change sign
lensor_status rotate(lensor_context* context, const lensor_view* x, const int64_t* positions,
                     const float* cos, const float* sin, int32_t inverse, const lensor_view* out) {
  const int64_t rows = x->shape[0], heads = x->shape[1], width = x->shape[2], half = width / 2;
  if (elements(x) == 0) return LENSOR_OK;
  const int64_t size = size_of(x->dtype);
  const f32v sign = set1(inverse ? -1.0f : 1.0f);
  return in_chunks(context, rows, most(1, kGrain / (heads * width)), [&](int64_t begin, int64_t end, int) {
    float wide_a[kBlock], wide_b[kBlock], turned_a[kBlock], turned_b[kBlock];
    for (int64_t item = begin * heads; item < end * heads; item++) {
      const int64_t row = item / heads, head = item % heads;
      const char* from = (const char*)x->data + (row * x->stride[0] + head * x->stride[1]) * size;
      char* to = (char*)out->data + item * width * size;
      for (int64_t at = 0; at < half; at += kBlock) {
        const int64_t n = least(kBlock, half - at), middle = (half + at) * size;
        const float* c = cos + positions[row] * half + at;
        const float* s = sin + positions[row] * half + at;
        const float* a = as_f32(x->dtype, from + at * size, n, wide_a);
        const float* b = as_f32(x->dtype, from + middle, n, wide_b);
        float* first = place_f32(x->dtype, to + at * size, turned_a);
        float* second = place_f32(x->dtype, to + middle, turned_b);
        lanes(n, [&](int64_t i, auto part) {
          const f32v u = take(a + i, part), v = take(b + i, part);
          const f32v cosine = take(c + i, part), sine = mul(take(s + i, part), sign);
          give(first + i, sub(mul(u, cosine), mul(v, sine)), part);
          give(second + i, add(mul(v, cosine), mul(u, sine)), part);
        });
        put_f32(x->dtype, first, n, to + at * size);
        put_f32(x->dtype, second, n, to + middle);
      }
    }
  });
}

} // namespace lensor::LENSOR_ISA
