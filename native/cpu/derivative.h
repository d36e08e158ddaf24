// The activations that gate or bend a network, each with its derivative: what the two share is computed once.
// Lane by lane, as elementary.h. At infinities and at kinks as torch has it.
#pragma once
#include "elementary.h"

namespace lensor::LENSOR_ISA {

struct Slope {
  f32v value, slope;
};

// relu'(0) = 0; NaN lets the gradient through.
LENSOR_INLINE Slope relu_slope(f32v x) {
  const f32v one = set1(1.0f);
  return {where_gt(zero(), x, zero(), x), where_gt(x, zero(), one, where_nan(x, one, zero()))};
}

// vsigmoid with half the work: below exp(-87) it gives 0.
LENSOR_INLINE f32v fast_sigmoid(f32v x) {
  const f32v one = set1(1.0f), e = vexp(sub(zero(), vabs(x)));
  const f32v upper = div(one, add(one, e));
  return where_gt(zero(), x, mul(e, upper), upper);
}

// s (1 - s)
LENSOR_INLINE Slope sigmoid_slope(f32v x) {
  const f32v s = fast_sigmoid(x);
  return {s, mul(s, sub(set1(1.0f), s))};
}

// x s, s (1 + x (1 - s))
LENSOR_INLINE Slope silu_slope(f32v x) {
  const f32v one = set1(1.0f), s = fast_sigmoid(x);
  return {mul(x, s), mul(s, fma(x, sub(one, s), one))};
}

// x Phi(x), Phi(x) + x phi(x)
LENSOR_INLINE Slope gelu_slope(f32v x) {
  f32v bell;
  const f32v tail = mul(set1(0.5f), vtail(vmin(vabs(x), set1(16.0f)), bell));
  const f32v phi = where_gt(zero(), x, tail, sub(set1(1.0f), tail));
  const f32v density = mul(set1(0.3989422804f), bell);
  return {add(mul(x, phi), sub(x, x)), fma(x, density, phi)};
}

// x s with s = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3); s + x s (1 - s) 2 u'
LENSOR_INLINE Slope gelu_tanh_slope(f32v x) {
  const f32v one = set1(1.0f), twice = set1(1.5957691216f), square = mul(x, x);
  const f32v s = fast_sigmoid(mul(fma(mul(square, x), set1(0.044715f), x), twice));
  const f32v inner = mul(twice, fma(square, set1(3 * 0.044715f), one));
  return {mul(x, s), fma(mul(mul(x, s), sub(one, s)), inner, s)};
}

} // namespace lensor::LENSOR_ISA
