// Loops over f32 values sixteen lanes at a time with the end of a row in a part of sixteen, and where blocks
// of results go. Included by the kernels of training; see vec.h for what this file may include.
#pragma once
#include "element.h"

namespace lensor::LENSOR_ISA {

struct Whole {};
struct Part {
  int n;
};
LENSOR_INLINE f32v take(const float* p, Whole, float = 0) { return load(p); }
LENSOR_INLINE f32v take(const float* p, Part part, float fill = 0) { return load_part(p, part.n, fill); }
LENSOR_INLINE void give(float* p, f32v v, Whole) { store(p, v); }
LENSOR_INLINE void give(float* p, f32v v, Part part) { store_part(p, v, part.n); }

// f(i, Whole) for each sixteen of n values and f(i, Part) for those left over.
template <class F> LENSOR_INLINE void lanes(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) f(i, Whole{});
  if (i < n) f(i, Part{(int)(n - i)});
}

// Where to compute n results of a float dtype: in place where that is f32, else in `staged`, which put_f32
// then rounds.
static inline float* place_f32(int32_t dtype, void* to, float* staged) {
  return dtype == LENSOR_F32 ? (float*)to : staged;
}

} // namespace lensor::LENSOR_ISA
