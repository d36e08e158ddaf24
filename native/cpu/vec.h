// Sixteen f32 (or i32) lanes under one name for every instruction set: one zmm, two ymm, or an array.
// Relies on the build compiling each kernel file once per set with LENSOR_ISA naming the namespace.
// Never includes C++ standard headers: an inline function compiled here with AVX-512 must not be the copy the
// linker keeps for everyone.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef LENSOR_ISA
#define LENSOR_ISA scalar
#endif
#define LENSOR_INLINE static inline __attribute__((always_inline))

#if defined(LENSOR_ISA_AVX512)
#include "vec_avx512.h"
#elif defined(LENSOR_ISA_AVX2)
#include "vec_avx2.h"
#else
#include "vec_scalar.h"
#endif

namespace lensor::LENSOR_ISA {

// Products of small integers, four columns of 16 rows at a time:
//   dot4: acc gathers w x, bytes w from 0 to 31, x from -127 to 127; at most 4 calls, then sum4 gives the
//   32-bit sums. dot4_wide: w up to 63, any number of calls, and the sums are there.
//   even16, odd16: the signed bytes 0 and 2, 1 and 3 of each four as 16 bits; dot16: acc gathers their
//   products with x, which swap_middle brings to that order (0 2 1 3).
//
// Pairs of bf16, two in each of 16 lanes, for products whose sums are f32:
//   narrow: 32 rounded values, those of a and then those of b; join, store_halves: 16 from or to each of two
//   places; interleave: lane i of (a, b) becomes the pair (a_i, b_i); dot2: acc gathers both products of each
//   pair.

// exp to about 1 ulp: x = n ln2 + r, |r| <= ln2/2, degree-6 polynomial in r; 0 below -87.3, saturating
// above 88.4. Lane by lane, so a value's result never depends on its neighbours.
LENSOR_INLINE f32v vexp(f32v x) {
  const f32v low = set1(-87.336544f), high = set1(88.376259f);
  f32v c = vmin(vmax(x, low), high);
  f32v n = nearest(mul(c, set1(1.44269504088896341f)));
  f32v r = fma(n, set1(-0.693359375f), c);
  r = fma(n, set1(2.12194440e-4f), r);
  f32v p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = add(fma(p, mul(r, r), r), set1(1.0f));
  f32v y = mul(p, pow2(to_i32(n)));
#if defined(LENSOR_ISA_AVX512)
  __m512 under = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, low.v, _CMP_GE_OQ), y.v);
  return {_mm512_mask_mov_ps(under, _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q), x.v)};
#elif defined(LENSOR_ISA_AVX2)
  auto fix = [](__m256 v, __m256 in, __m256 l) __attribute__((always_inline)) {
    v = _mm256_and_ps(v, _mm256_cmp_ps(in, l, _CMP_GE_OQ));
    return _mm256_blendv_ps(v, in, _mm256_cmp_ps(in, in, _CMP_UNORD_Q));
  };
  return {fix(y.a, x.a, low.a), fix(y.b, x.b, low.b)};
#else
  for (int i = 0; i < 16; i++) y.v[i] = x.v[i] != x.v[i] ? x.v[i] : (x.v[i] >= low.v[i] ? y.v[i] : 0.0f);
  return y;
#endif
}
LENSOR_INLINE float exp1(float x) {
  float lanes[16];
  store(lanes, vexp(set1(x)));
  return lanes[0];
}
// 2^(e - 128) of 16 bytes e: what an exponent of 8 bits alone means (E8M0), halved. Below 2^-126 there is no
// leading one.
LENSOR_INLINE f32v half_power(const int8_t* p) {
  const i32v e = andi(load_i8(p), set1i(255));
  const f32v least = where_gt(to_f32(e), zero(), from_bits(set1i(0x400000)), from_bits(set1i(0x200000)));
  return where_gt(to_f32(e), set1(1), from_bits(shl<23>(subi(e, set1i(1)))), least);
}
// Rounds half to even; a NaN stays one whatever its payload.
LENSOR_INLINE void store_bf16(uint16_t* p, f32v a) {
  i32v b = bits(a);
  i32v rounded = addi(addi(b, set1i(0x7fff)), andi(shr<16>(b), set1i(1)));
  store_low(p, shr<16>(bits(where_nan(a, from_bits(set1i(0x7fc00000)), from_bits(rounded)))));
}
#if !defined(LENSOR_ISA_AVX512BF16)
// acc + products of two pairs of bf16, the even one first.
LENSOR_INLINE f32v dot2(f32v acc, i32v a, i32v b) {
  const i32v upper = set1i((int32_t)0xffff0000);
  acc = fma(from_bits(shl<16>(a)), from_bits(shl<16>(b)), acc);
  return fma(from_bits(andi(a, upper)), from_bits(andi(b, upper)), acc);
}
#endif
#if !defined(LENSOR_ISA_AVX512)
// Lane i is the largest lane, or the sum of the lanes, of v[i].
LENSOR_INLINE f32v lane_maxes(const f32v* v) {
  float lanes[16];
  for (int i = 0; i < 16; i++) lanes[i] = lane_max(v[i]);
  return load(lanes);
}
LENSOR_INLINE i32v lane_sums(const i32v* v) {
  int32_t lanes[16];
  for (int i = 0; i < 16; i++) lanes[i] = lane_sumi(v[i]);
  return loadi(lanes);
}
// Rows become columns, in place.
LENSOR_INLINE void transpose(f32v* v) {
  float rows[16][16], columns[16][16];
  for (int i = 0; i < 16; i++) store(rows[i], v[i]);
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 16; j++) columns[j][i] = rows[i][j];
  for (int i = 0; i < 16; i++) v[i] = load(columns[i]);
}
#endif
#if !defined(LENSOR_ISA_AVX512)
// First n of 16 values; the rest `fill`.
LENSOR_INLINE f32v load_part(const float* p, int n, float fill) {
  if (n == 16) return load(p);
  float lanes[16];
  for (int i = 0; i < 16; i++) lanes[i] = i < n ? p[i] : fill;
  return load(lanes);
}
LENSOR_INLINE void store_part(float* p, f32v a, int n) {
  if (n == 16) return store(p, a);
  float lanes[16];
  store(lanes, a);
  memcpy(p, lanes, (size_t)n * 4);
}
#endif

} // namespace lensor::LENSOR_ISA
