// A convolution along one axis as a product of matrices: unfold lays out the columns that each step of the
// kernel sees, fold is its adjoint. f32, contiguous.
#include "kernels.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

// Step s of row k of the kernel sees position s stride + offset; those inside [0, length) are [first, last).
struct Reach {
  int64_t offset, first, last;
};
Reach reach(int64_t k, int64_t stride, int64_t padding, int64_t dilation, int64_t steps, int64_t length) {
  const int64_t offset = k * dilation - padding;
  const int64_t first = offset < 0 ? (-offset + stride - 1) / stride : 0;
  const int64_t last = offset < length ? (length - 1 - offset) / stride + 1 : 0;
  return {offset, least(first, steps), most(least(first, steps), least(last, steps))};
}

} // namespace

// out[n, c, k, s] = x[n, c, s stride + k dilation - padding], 0 outside x.
lensor_status unfold(lensor_context* context, const lensor_view* x, int64_t stride, int64_t padding,
                     int64_t dilation, const lensor_view* out) {
  const int64_t length = x->shape[2], kernel = out->shape[2], steps = out->shape[3];
  if (elements(out) == 0) return LENSOR_OK;
  const int64_t rows = elements(out) / steps;
  return in_chunks(context, rows, most(1, kGrain / steps), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) {
      const Reach r = reach(row % kernel, stride, padding, dilation, steps, length);
      const float* from = (const float*)x->data + row / kernel * length + r.offset;
      float* to = (float*)out->data + row * steps;
      memset(to, 0, (size_t)r.first * sizeof(float));
      for (int64_t s = r.first; s < r.last; s++) to[s] = from[s * stride];
      memset(to + r.last, 0, (size_t)(steps - r.last) * sizeof(float));
    }
  });
}

// out[n, c, l] = sum of x[n, c, k, s] over the k, in order, whose step s sees position l.
lensor_status fold(lensor_context* context, const lensor_view* x, int64_t stride, int64_t padding,
                   int64_t dilation, const lensor_view* out) {
  const int64_t length = out->shape[2], kernel = x->shape[2], steps = x->shape[3];
  if (elements(out) == 0) return LENSOR_OK;
  const int64_t rows = elements(out) / length, cost = length + kernel * steps;
  return in_chunks(context, rows, most(1, kGrain / cost), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) {
      float* to = (float*)out->data + row * length;
      memset(to, 0, (size_t)length * sizeof(float));
      for (int64_t k = 0; k < kernel; k++) {
        const Reach r = reach(k, stride, padding, dilation, steps, length);
        const float* from = (const float*)x->data + (row * kernel + k) * steps;
        float* place = to + r.offset;
        for (int64_t s = r.first; s < r.last; s++) place[s * stride] += from[s];
      }
    }
  });
}

} // namespace lensor::LENSOR_ISA
