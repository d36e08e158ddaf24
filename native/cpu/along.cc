// What runs along an axis and carries a state: cumulative sums and the linear recurrence. An element depends
// on those before it alone, in their order; threads share out what does not.
#include "kernels.h"
#include "lanes.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

// f(at, n) for the blocks of a row, from its end where `reverse`.
template <class F> void in_order(int64_t width, bool reverse, const F& f) {
  const int64_t count = (width + kBlock - 1) / kBlock;
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = (reverse ? count - 1 - i : i) * kBlock;
    f(at, least(kBlock, width - at));
  }
}

template <class Sum, class T> void accumulate(const T* x, int64_t n, bool reverse, Sum* state, T* out) {
  Sum sum = *state;
  for (int64_t i = 0; i < n; i++) {
    const int64_t at = reverse ? n - 1 - i : i;
    sum += (Sum)x[at];
    out[at] = (T)sum;
  }
  *state = sum;
}

} // namespace

// out[i] = x[0] + ... + x[i]: floats add up in double and are rounded once each, integers wrap.
lensor_status cumsum(lensor_context* context, const lensor_view* x, const lensor_view* out, int32_t reverse) {
  const int64_t width = x->shape[x->rank - 1], count = elements(x);
  if (count == 0) return LENSOR_OK;
  const int64_t size_x = size_of(x->dtype), size_out = size_of(out->dtype);
  const bool real = is_float(x->dtype), back = reverse != 0;
  return in_chunks(context, count / width, most(1, kGrain / width), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) {
      double real_sum = 0;
      uint64_t whole_sum = 0;
      in_order(width, back, [&](int64_t at, int64_t n) {
        const char* from = (const char*)x->data + (row * width + at) * size_x;
        char* to = (char*)out->data + (row * width + at) * size_out;
        if (real) {
          float wide[kBlock], result[kBlock];
          float* place = place_f32(out->dtype, to, result);
          accumulate(as_f32(x->dtype, from, n, wide), n, back, &real_sum, place);
          put_f32(out->dtype, place, n, to);
        } else {
          int64_t whole[kBlock];
          get_i64(x->dtype, from, n, whole);
          accumulate(whole, n, back, &whole_sum, whole);
          put_i64(out->dtype, whole, n, to);
        }
      });
    }
  });
}

// h[t] = a[t] h[t - 1] + x[t] for columns side by side, whose states stay in `state`.
lensor_status scan(lensor_context* context, const lensor_view* a, const lensor_view* x,
                   const lensor_view* out, int32_t reverse) {
  constexpr int64_t kAcross = 64;
  const int64_t batch = x->shape[0], length = x->shape[1], width = x->shape[2];
  if (elements(x) == 0) return LENSOR_OK;
  const int64_t pieces = (width + kAcross - 1) / kAcross;
  const int64_t cost = length * least(width, kAcross);
  return in_chunks(context, batch * pieces, most(1, kGrain / cost), [&](int64_t begin, int64_t end, int) {
    for (int64_t item = begin; item < end; item++) {
      const int64_t left = item % pieces * kAcross, n = least(kAcross, width - left);
      float state[kAcross] = {};
      for (int64_t i = 0; i < length; i++) {
        const int64_t t = reverse ? length - 1 - i : i;
        const int64_t at = (item / pieces * length + t) * width + left;
        const float *factor = (const float*)a->data + at, *input = (const float*)x->data + at;
        float* to = (float*)out->data + at;
        lanes(n, [&](int64_t j, auto part) {
          const f32v h = fma(take(factor + j, part), take(state + j, part), take(input + j, part));
          give(state + j, h, part);
          give(to + j, h, part);
        });
      }
    }
  });
}

} // namespace lensor::LENSOR_ISA
