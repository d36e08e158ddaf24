// out[b] = x[b] y[b]: [B, M, K] x [B, K, N], contiguous, one dtype. Floats accumulate in f32 and round once,
// each element one chain of fused multiply-adds along K in order, whatever M: many rows by gemm.cc, few by
// reading y as it lies.
#include "kernels.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int64_t kDepth = 256; // K at a time

struct Product {
  const lensor_view *x, *y, *out;
  int64_t m, k, n;
  int64_t size;
};

// One or two rows read y once: packing it first would cost more than multiplying. The same chains of
// additions.
lensor_status matmul_few(lensor_context* context, const Product& p) {
  constexpr int64_t kAcross = 4 * LENSOR_PANEL;
  const int64_t pieces = (p.n + kAcross - 1) / kAcross;
  return in_chunks(context, p.x->shape[0] * p.m * pieces, most(1, kGrain / (p.k * kAcross)),
                   [&](int64_t from, int64_t to, int) {
                     for (int64_t i = from; i < to; i++) {
                       const int64_t row = i / pieces, left = i % pieces * kAcross,
                                     width = least(kAcross, p.n - left);
                       const char* y = (const char*)p.y->data + (row / p.m * p.k * p.n + left) * p.size;
                       f32v acc[4] = {zero(), zero(), zero(), zero()};
                       float wide[kAcross] = {}, factors[kDepth];
                       for (int64_t at = 0; at < p.k; at += kDepth) {
                         const int64_t depth = least(kDepth, p.k - at);
                         const float* x = as_f32(
                             p.x->dtype, (const char*)p.x->data + (row * p.k + at) * p.size, depth, factors);
                         for (int64_t k = 0; k < depth; k++, y += p.n * p.size) {
                           const float* values = as_f32(p.y->dtype, y, width, wide);
                           if (width < kAcross && values != wide)
                             values = (const float*)memcpy(wide, values, (size_t)width * 4);
                           for (int j = 0; j < 4; j++)
                             acc[j] = fma(set1(x[k]), load(values + j * LENSOR_PANEL), acc[j]);
                         }
                       }
                       for (int j = 0; j < 4; j++) store(wide + j * LENSOR_PANEL, acc[j]);
                       put_f32(p.out->dtype, wide, width, (char*)p.out->data + (row * p.n + left) * p.size);
                     }
                   });
}

lensor_status matmul_many(lensor_context* context, const Product& p) {
  lensor_gemm g{};
  g.a = p.x, g.w = p.y, g.out = p.out;
  g.compute = LENSOR_F32, g.alpha = 1, g.activation = -1;
  return gemm(context, &g);
}

// Integers wrap, so they are multiplied without a sign in their own width.
template <class U> lensor_status matmul_whole(lensor_context* context, const Product& p) {
  const int64_t rows = p.x->shape[0] * p.m;
  return in_chunks(context, rows, most(1, kGrain / (p.k * p.n)), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) {
      const U* x = (const U*)p.x->data + row * p.k;
      const U* y = (const U*)p.y->data + row / p.m * p.k * p.n;
      U* out = (U*)p.out->data + row * p.n;
      memset(out, 0, (size_t)p.n * sizeof(U));
      for (int64_t k = 0; k < p.k; k++)
        for (int64_t j = 0; j < p.n; j++) out[j] = (U)(out[j] + (uint64_t)x[k] * y[k * p.n + j]);
    }
  });
}

} // namespace

lensor_status matmul(lensor_context* context, const lensor_view* x, const lensor_view* y,
                     const lensor_view* out) {
  Product p{};
  p.x = x;
  p.y = y;
  p.out = out;
  p.m = x->shape[1];
  p.k = x->shape[2];
  p.n = y->shape[2];
  p.size = size_of(x->dtype);
  const int64_t count = elements(out);
  if (count == 0) return LENSOR_OK;
  if (p.k == 0) {
    memset(out->data, 0, (size_t)(count * p.size));
    return LENSOR_OK;
  }
  switch (x->dtype) {
  case LENSOR_F32:
  case LENSOR_F16:
  case LENSOR_BF16:
    return p.m <= 2 ? matmul_few(context, p) : matmul_many(context, p);
  case LENSOR_I32:
    return matmul_whole<uint32_t>(context, p);
  case LENSOR_I64:
    return matmul_whole<uint64_t>(context, p);
  default:
    return matmul_whole<uint8_t>(context, p);
  }
}

} // namespace lensor::LENSOR_ISA
