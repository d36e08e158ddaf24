// What becomes of a matrix product's sums: alpha, bias, activation, what is there already, and one rounding
// to the result's type. Relies on nobody else writing the same rows. Each element by itself.
#pragma once
#include "element.h"
#include "elementary.h"

namespace lensor::LENSOR_ISA {

static inline f32v activated(int32_t f, f32v x) {
  switch (f) {
  case LENSOR_NEG:
    return mul(x, set1(-1.0f));
  case LENSOR_ABS:
    return vabs(x);
  case LENSOR_EXP:
    return vexp_wide(x);
  case LENSOR_LOG:
    return vlog(x);
  case LENSOR_SQRT:
    return vsqrt(x);
  case LENSOR_RSQRT:
    return div(set1(1.0f), vsqrt(x));
  case LENSOR_SIN:
  case LENSOR_COS: {
    float lanes[16];
    store(lanes, x);
    for (int i = 0; i < 16; i++) lanes[i] = f == LENSOR_SIN ? sinf(lanes[i]) : cosf(lanes[i]);
    return load(lanes);
  }
  case LENSOR_TANH:
    return vtanh(x);
  case LENSOR_SIGMOID:
    return vsigmoid(x);
  case LENSOR_RELU:
    return where_gt(zero(), x, zero(), x);
  case LENSOR_SILU:
    return mul(x, vsigmoid(x));
  case LENSOR_GELU:
    return vgelu(x);
  case LENSOR_GELU_TANH:
    return vgelu_tanh(x);
  default:
    return x;
  }
}

// Results are the sums themselves.
static inline bool is_bare(const lensor_gemm* g) {
  return g->out->dtype == LENSOR_F32 && g->alpha == 1 && !g->bias && g->activation < 0 && !g->addend;
}

// n results from column `column` on, to `to`; sums are readable in whole sixteens.
static inline void finish(const lensor_gemm* g, const float* sums, int64_t column, int64_t n, char* to) {
  const int32_t dtype = g->out->dtype;
  const char* there = g->addend ? (const char*)g->addend + (to - (const char*)g->out->data) : nullptr;
  for (int64_t j = 0; j < n; j += 16, to += 16 * size_of(dtype)) {
    const int some = (int)least(16, n - j);
    f32v v = load(sums + j);
    if (g->alpha != 1) v = mul(v, set1(g->alpha));
    if (g->bias) v = add(v, load_part(g->bias + column + j, some, 0));
    if (g->activation >= 0) v = activated(g->activation, v);
    float lanes[16];
    if (there) v = add(load_part(as_f32(dtype, there + j * size_of(dtype), some, lanes), some, 0), v);
    if (dtype == LENSOR_F32) {
      store_part((float*)to, v, some);
    } else {
      store(lanes, v);
      put_f32(dtype, lanes, some, to);
    }
  }
}

} // namespace lensor::LENSOR_ISA
