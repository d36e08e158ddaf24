// Gated units: out = f(gate) up, and their gradient, in one pass over memory. Contiguous; computes in f32 and
// rounds once.
#include "derivative.h"
#include "kernels.h"
#include "lanes.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

// Calls run(f) with the activation that `op` names: a function from lanes to value and slope.
template <class Run> void with_gate(lensor_unary op, const Run& run) {
  switch (op) {
  case LENSOR_RELU:
    return run([](f32v x) { return relu_slope(x); });
  case LENSOR_SIGMOID:
    return run([](f32v x) { return sigmoid_slope(x); });
  case LENSOR_SILU:
    return run([](f32v x) { return silu_slope(x); });
  case LENSOR_GELU:
    return run([](f32v x) { return gelu_slope(x); });
  default:
    return run([](f32v x) { return gelu_tanh_slope(x); });
  }
}

const float* block_of(const lensor_view* v, int64_t at, int64_t n, float* wide) {
  return as_f32(v->dtype, (const char*)v->data + at * size_of(v->dtype), n, wide);
}
char* at_of(const lensor_view* v, int64_t at) { return (char*)v->data + at * size_of(v->dtype); }

} // namespace

lensor_status glu(lensor_context* context, lensor_unary op, const lensor_view* gate, const lensor_view* up,
                  const lensor_view* out) {
  return in_chunks(context, elements(out), kGrain, [&](int64_t begin, int64_t end, int) {
    with_gate(op, [&](auto f) {
      float wide_g[kBlock], wide_u[kBlock], result[kBlock];
      for (int64_t at = begin; at < end; at += kBlock) {
        const int64_t n = least(kBlock, end - at);
        const float *g = block_of(gate, at, n, wide_g), *u = block_of(up, at, n, wide_u);
        float* place = place_f32(out->dtype, at_of(out, at), result);
        lanes(n, [&](int64_t i, auto part) {
          give(place + i, mul(f(take(g + i, part)).value, take(u + i, part)), part);
        });
        put_f32(out->dtype, place, n, at_of(out, at));
      }
    });
  });
}

// dgate = dy up f'(gate), dup = dy f(gate)
lensor_status glu_grad(lensor_context* context, lensor_unary op, const lensor_view* gate,
                       const lensor_view* up, const lensor_view* dy, const lensor_view* dgate,
                       const lensor_view* dup) {
  return in_chunks(context, elements(dy), kGrain, [&](int64_t begin, int64_t end, int) {
    with_gate(op, [&](auto f) {
      float wide_g[kBlock], wide_u[kBlock], wide_d[kBlock], result_g[kBlock], result_u[kBlock];
      for (int64_t at = begin; at < end; at += kBlock) {
        const int64_t n = least(kBlock, end - at);
        const float *g = block_of(gate, at, n, wide_g), *u = block_of(up, at, n, wide_u);
        const float* d = block_of(dy, at, n, wide_d);
        float* to_g = place_f32(dgate->dtype, at_of(dgate, at), result_g);
        float* to_u = place_f32(dup->dtype, at_of(dup, at), result_u);
        lanes(n, [&](int64_t i, auto part) {
          const Slope s = f(take(g + i, part));
          const f32v given = take(d + i, part), times = take(u + i, part);
          give(to_g + i, mul(mul(given, times), s.slope), part);
          give(to_u + i, mul(given, s.value), part);
        });
        put_f32(dgate->dtype, to_g, n, at_of(dgate, at));
        put_f32(dup->dtype, to_u, n, at_of(dup, at));
      }
    });
  });
}

} // namespace lensor::LENSOR_ISA
