// Elementary functions on sixteen f32 lanes, each lane by itself: no value depends on its neighbours. Within
// about two units in the last place over the whole range, infinities and NaN as in C. Polynomials: Moshier's
// Cephes, single precision.
#pragma once
#include "vec.h"

namespace lensor::LENSOR_ISA {

// Horner's rule, the highest power first.
template <int n> LENSOR_INLINE f32v polynomial(f32v x, const float (&c)[n]) {
  f32v p = set1(c[0]);
  for (int i = 1; i < n; i++) p = fma(p, x, set1(c[i]));
  return p;
}

LENSOR_INLINE f32v vabs(f32v x) { return from_bits(andi(bits(x), set1i(0x7fffffff))); }

// The sign of x on a magnitude that is not negative.
LENSOR_INLINE f32v with_sign(f32v magnitude, f32v x) {
  return from_bits(addi(bits(magnitude), andi(bits(x), set1i(INT32_MIN))));
}

// exp over the whole range: vexp stops where its power of two does, so far from zero it is squared from the
// half.
LENSOR_INLINE f32v vexp_wide(f32v x) {
  f32v half = vexp(mul(x, set1(0.5f)));
  return where_gt(vabs(x), set1(87.0f), mul(half, half), vexp(x));
}

// x = m 2^e, sqrt(1/2) <= m < sqrt(2): log x = log m + e ln 2.
LENSOR_INLINE f32v vlog(f32v x) {
  static constexpr float kLog[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                   -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                   2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  const f32v one = set1(1.0f), smallest = set1(1.17549435e-38f);
  f32v tiny = where_gt(smallest, x, one, zero());
  f32v scaled = where_gt(smallest, x, mul(x, set1(8388608.0f)), x);
  i32v b = bits(scaled);
  f32v e = sub(to_f32(subi(andi(shr<23>(b), set1i(255)), set1i(126))), mul(tiny, set1(23.0f)));
  f32v m = from_bits(addi(andi(b, set1i(0x7fffff)), set1i(0x3f000000)));
  const f32v root = set1(0.70710678118f);
  e = where_gt(root, m, sub(e, one), e);
  m = sub(where_gt(root, m, add(m, m), m), one);
  f32v z = mul(m, m);
  f32v y = mul(mul(m, z), polynomial(m, kLog));
  y = fma(e, set1(-2.12194440e-4f), y);
  y = fma(z, set1(-0.5f), y);
  y = fma(e, set1(0.693359375f), add(m, y));
  const f32v infinity = set1(__builtin_inff()), nan = set1(__builtin_nanf(""));
  y = where_gt(x, zero(), y, where_gt(zero(), x, nan, sub(zero(), infinity)));
  y = where_gt(x, set1(3.4028235e38f), infinity, y);
  return where_nan(x, x, y);
}

LENSOR_INLINE f32v vtanh(f32v x) {
  static constexpr float kTanh[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                                    1.33314422036e-1f, -3.33332819422e-1f};
  f32v size = vabs(x), z = mul(x, x);
  f32v small = fma(mul(x, z), polynomial(z, kTanh), x);
  // Above 9 the quotient is 1 to the last bit, and vexp's bound is far.
  f32v e = vexp(add(size, size));
  f32v large = sub(set1(1.0f), div(set1(2.0f), add(e, set1(1.0f))));
  return where_nan(x, x, where_gt(set1(0.625f), size, small, with_sign(large, x)));
}

// 1 / (1 + exp(-x)), from exp(-|x|) so that neither end overflows.
LENSOR_INLINE f32v vsigmoid(f32v x) {
  f32v e = vexp_wide(sub(zero(), vabs(x)));
  f32v upper = div(set1(1.0f), add(set1(1.0f), e));
  return where_gt(zero(), x, mul(e, upper), upper);
}

// erfc(a / sqrt 2) for 0 <= a: twice the tail of the normal distribution above a. And `bell`: exp(-a^2 / 2).
LENSOR_INLINE f32v vtail(f32v a, f32v& bell) {
  static constexpr float kErf[] = {7.853861353153693e-5f,  -8.010193625184903e-4f, 5.188327685732524e-3f,
                                   -2.685381193529856e-2f, 1.128358514861418e-1f,  -3.761262582423300e-1f,
                                   1.128379165726710e+0f};
  static constexpr float kNear[] = {2.326819970068386e-2f,  -1.387039388740657e-1f, 3.687424674597105e-1f,
                                    -5.824733027278666e-1f, 6.210004621745983e-1f,  -4.944515323274145e-1f,
                                    3.404879937665872e-1f,  -2.741127028184656e-1f, 5.638259427386472e-1f};
  static constexpr float kFar[] = {-1.047766399936249e+1f, 1.297719955372516e+1f,  -7.495518717768503e+0f,
                                   2.921019019210786e+0f,  -1.015265279202700e+0f, 4.218463358204948e-1f,
                                   -2.820767439740514e-1f, 5.641895067754075e-1f};
  const f32v one = set1(1.0f), half = set1(0.5f);
  f32v x = mul(a, set1(0.70710678118f)), z = mul(x, x);
  f32v small = sub(one, mul(x, polynomial(z, kErf)));
  f32v q = div(one, x), y = mul(q, q);
  f32v p = where_gt(set1(2.0f), x, polynomial(y, kNear), polynomial(y, kFar));
  // exp(-a^2 / 2) with the rounding error of the square put back: it would grow with a^2.
  f32v square = mul(a, a), error = fma(a, a, sub(zero(), square));
  f32v e = vexp_wide(mul(square, sub(zero(), half)));
  bell = sub(e, mul(e, mul(error, half)));
  return where_gt(one, x, small, mul(mul(bell, q), p));
}

// x Phi(x), Phi the normal distribution: 0.5 x erfc(-x / sqrt 2). NaN at both infinities, as torch has it.
LENSOR_INLINE f32v vgelu(f32v x) {
  // Past 16 the tail is 0 in f32; bounded there, its square does not overflow.
  f32v bell, tail = mul(set1(0.5f), vtail(vmin(vabs(x), set1(16.0f)), bell));
  f32v y = mul(x, where_gt(zero(), x, tail, sub(set1(1.0f), tail)));
  return add(y, sub(x, x));
}

// x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x sigmoid(2 u).
LENSOR_INLINE f32v vgelu_tanh(f32v x) {
  f32v inner = fma(mul(mul(x, x), x), set1(0.044715f), x);
  return mul(x, vsigmoid(mul(inner, set1(1.5957691216f))));
}

} // namespace lensor::LENSOR_ISA
