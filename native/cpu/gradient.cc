// Gradients of the tensor operations that have kernels of their own: the functions of one argument, and
// softmax. Floats compute in f32 and round once; a row's sums are taken in 16 lanes along blocks, blocks left
// to right in double.
#include "derivative.h"
#include "kernels.h"
#include "lanes.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

// The functions whose derivative is simpler in their value.
bool in_value(lensor_unary op) {
  return op == LENSOR_EXP || op == LENSOR_SQRT || op == LENSOR_RSQRT || op == LENSOR_TANH ||
         op == LENSOR_SIGMOID || op == LENSOR_RELU;
}

// dx = f(v, dy), v being x or y.
template <class F> void each(const float* v, const float* dy, float* dx, int64_t n, const F& f) {
  lanes(n, [&](int64_t i, auto part) { give(dx + i, f(take(v + i, part, 1), take(dy + i, part)), part); });
}

void unary_grad_block(lensor_unary op, const float* v, const float* dy, float* dx, int64_t n) {
  const f32v one = set1(1.0f);
  switch (op) {
  case LENSOR_NEG:
    return each(v, dy, dx, n, [&](f32v, f32v d) { return mul(d, set1(-1.0f)); });
  case LENSOR_ABS:
    return each(v, dy, dx, n, [&](f32v x, f32v d) {
      return mul(d, where_gt(x, zero(), one, where_gt(zero(), x, set1(-1.0f), zero())));
    });
  case LENSOR_EXP:
    return each(v, dy, dx, n, [&](f32v y, f32v d) { return mul(d, y); });
  case LENSOR_LOG:
    return each(v, dy, dx, n, [&](f32v x, f32v d) { return div(d, x); });
  case LENSOR_SQRT:
    return each(v, dy, dx, n, [&](f32v y, f32v d) { return div(d, add(y, y)); });
  case LENSOR_RSQRT:
    return each(v, dy, dx, n, [&](f32v y, f32v d) { return mul(mul(d, set1(-0.5f)), mul(mul(y, y), y)); });
  case LENSOR_SIN:
    for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * cosf(v[i]);
    return;
  case LENSOR_COS:
    for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * -sinf(v[i]);
    return;
  case LENSOR_TANH:
    return each(v, dy, dx, n, [&](f32v y, f32v d) { return mul(d, sub(one, mul(y, y))); });
  case LENSOR_SIGMOID:
    return each(v, dy, dx, n, [&](f32v y, f32v d) { return mul(d, mul(y, sub(one, y))); });
  case LENSOR_RELU:
    return each(v, dy, dx, n,
                [&](f32v y, f32v d) { return where_gt(y, zero(), d, where_nan(y, d, zero())); });
  case LENSOR_SILU:
    return each(v, dy, dx, n, [&](f32v x, f32v d) { return mul(d, silu_slope(x).slope); });
  case LENSOR_GELU:
    return each(v, dy, dx, n, [&](f32v x, f32v d) { return mul(d, gelu_slope(x).slope); });
  default:
    return each(v, dy, dx, n, [&](f32v x, f32v d) { return mul(d, gelu_tanh_slope(x).slope); });
  }
}

// dx = factor[i] (dy - total) with factor y, or dy - exp(y) total.
void softmax_grad_row(const lensor_view* y, const lensor_view* dy, const lensor_view* dx, int64_t row,
                      int64_t width, bool log) {
  float wide_y[kBlock], wide_dy[kBlock], result[kBlock];
  const int64_t size = size_of(dx->dtype);
  const auto block = [&](const lensor_view* v, int64_t at, int64_t n, float* wide) {
    return as_f32(v->dtype, (const char*)v->data + (row * width + at) * size, n, wide);
  };
  double total = 0;
  for (int64_t at = 0; at < width; at += kBlock) {
    const int64_t n = least(kBlock, width - at);
    const float *value = block(y, at, n, wide_y), *gradient = block(dy, at, n, wide_dy);
    f32v sum = zero();
    if (log)
      lanes(n, [&](int64_t i, auto part) { sum = add(sum, take(gradient + i, part)); });
    else
      lanes(n,
            [&](int64_t i, auto part) { sum = fma(take(value + i, part), take(gradient + i, part), sum); });
    total += (double)lane_sum(sum);
  }
  const f32v all = set1((float)total), less = set1(-(float)total);
  for (int64_t at = 0; at < width; at += kBlock) {
    const int64_t n = least(kBlock, width - at);
    const float *value = block(y, at, n, wide_y), *gradient = block(dy, at, n, wide_dy);
    char* to = (char*)dx->data + (row * width + at) * size;
    float* place = place_f32(dx->dtype, to, result);
    lanes(n, [&](int64_t i, auto part) {
      const f32v v = take(value + i, part), d = take(gradient + i, part);
      give(place + i, log ? fma(vexp_wide(v), less, d) : mul(v, sub(d, all)), part);
    });
    put_f32(dx->dtype, place, n, to);
  }
}

} // namespace

lensor_status unary_grad(lensor_context* context, lensor_unary op, const lensor_view* x, const lensor_view* y,
                         const lensor_view* dy, const lensor_view* dx) {
  const Walk value = walk(in_value(op) ? y : x), gradient = walk(dy), out = walk(dx);
  const bool direct = out.contiguous();
  return in_chunks(context, elements(dx), kGrain, [&](int64_t begin, int64_t end, int) {
    float staged_v[kBlock], staged_dy[kBlock], wide_v[kBlock], wide_dy[kBlock], result[kBlock];
    float rounded[kBlock];
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t n = least(kBlock, end - at);
      const float* v = as_f32(dx->dtype, read(value, at, n, staged_v), n, wide_v);
      const float* d = as_f32(dx->dtype, read(gradient, at, n, staged_dy), n, wide_dy);
      void* to = direct ? out.data + at * out.size : (char*)rounded;
      float* place = place_f32(dx->dtype, to, result);
      unary_grad_block(op, v, d, place, n);
      put_f32(dx->dtype, place, n, to);
      if (!direct) write(out, at, n, rounded);
    }
  });
}

lensor_status softmax_grad(lensor_context* context, const lensor_view* y, const lensor_view* dy,
                           const lensor_view* dx, int32_t log) {
  const int64_t width = dx->shape[dx->rank - 1], count = elements(dx);
  if (count == 0) return LENSOR_OK;
  return in_chunks(context, count / width, most(1, kGrain / width), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) softmax_grad_row(y, dy, dx, row, width, log != 0);
  });
}

} // namespace lensor::LENSOR_ISA
