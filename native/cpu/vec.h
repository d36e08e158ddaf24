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

namespace lensor::LENSOR_ISA {

constexpr int kLanes = 16;
#define LENSOR_INLINE static inline __attribute__((always_inline))

#if defined(LENSOR_ISA_AVX512)
// ---------------------------------------------------------------- AVX-512 F/BW/VL/DQ/VNNI
struct f32v {
  __m512 v;
};
struct i32v {
  __m512i v;
};
LENSOR_INLINE f32v load(const float* p) { return {_mm512_loadu_ps(p)}; }
LENSOR_INLINE void store(float* p, f32v a) { _mm512_storeu_ps(p, a.v); }
LENSOR_INLINE f32v set1(float x) { return {_mm512_set1_ps(x)}; }
LENSOR_INLINE f32v zero() { return {_mm512_setzero_ps()}; }
LENSOR_INLINE f32v add(f32v a, f32v b) { return {_mm512_add_ps(a.v, b.v)}; }
LENSOR_INLINE f32v sub(f32v a, f32v b) { return {_mm512_sub_ps(a.v, b.v)}; }
LENSOR_INLINE f32v mul(f32v a, f32v b) { return {_mm512_mul_ps(a.v, b.v)}; }
LENSOR_INLINE f32v div(f32v a, f32v b) { return {_mm512_div_ps(a.v, b.v)}; }
LENSOR_INLINE f32v vmax(f32v a, f32v b) { return {_mm512_max_ps(a.v, b.v)}; }
LENSOR_INLINE f32v vmin(f32v a, f32v b) { return {_mm512_min_ps(a.v, b.v)}; }
LENSOR_INLINE f32v fma(f32v a, f32v b, f32v c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
LENSOR_INLINE f32v nearest(f32v a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
LENSOR_INLINE f32v load_f16(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p))};
}
LENSOR_INLINE void store_f16(uint16_t* p, f32v a) {
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
LENSOR_INLINE f32v load_bf16(const uint16_t* p) {
  return {_mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16))};
}
LENSOR_INLINE i32v loadi(const void* p) { return {_mm512_loadu_si512(p)}; }
LENSOR_INLINE void storei(void* p, i32v a) { _mm512_storeu_si512(p, a.v); }
LENSOR_INLINE i32v set1i(int32_t x) { return {_mm512_set1_epi32(x)}; }
LENSOR_INLINE i32v zeroi() { return {_mm512_setzero_si512()}; }
LENSOR_INLINE i32v addi(i32v a, i32v b) { return {_mm512_add_epi32(a.v, b.v)}; }
LENSOR_INLINE i32v subi(i32v a, i32v b) { return {_mm512_sub_epi32(a.v, b.v)}; }
LENSOR_INLINE i32v andi(i32v a, i32v b) { return {_mm512_and_si512(a.v, b.v)}; }
LENSOR_INLINE i32v xori(i32v a, i32v b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int n> LENSOR_INLINE i32v shr(i32v a) { return {_mm512_srli_epi32(a.v, n)}; }
LENSOR_INLINE f32v to_f32(i32v a) { return {_mm512_cvtepi32_ps(a.v)}; }
LENSOR_INLINE i32v to_i32(f32v a) { return {_mm512_cvtps_epi32(a.v)}; }
LENSOR_INLINE f32v pow2(i32v e) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(e.v, _mm512_set1_epi32(127)), 23))};
}
// The three sets multiply small integers in ways of their own; the sums are the same (see "Products of small
// integers").
LENSOR_INLINE i32v dot4(i32v acc, i32v w, i32v x) { return {_mm512_dpbusd_epi32(acc.v, w.v, x.v)}; }
LENSOR_INLINE i32v sum4(i32v acc) { return acc; }
LENSOR_INLINE i32v even16(i32v w) { return {_mm512_srai_epi16(_mm512_slli_epi16(w.v, 8), 8)}; }
LENSOR_INLINE i32v odd16(i32v w) { return {_mm512_srai_epi16(w.v, 8)}; }
LENSOR_INLINE i32v dot16(i32v acc, i32v w, i32v x) { return {_mm512_dpwssd_epi32(acc.v, w.v, x.v)}; }
LENSOR_INLINE float lane_sum(f32v a) {
  __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
LENSOR_INLINE float lane_max(f32v a) { return _mm512_reduce_max_ps(a.v); }
LENSOR_INLINE f32v vsqrt(f32v a) { return {_mm512_sqrt_ps(a.v)}; }
LENSOR_INLINE i32v bits(f32v a) { return {_mm512_castps_si512(a.v)}; }
LENSOR_INLINE f32v from_bits(i32v a) { return {_mm512_castsi512_ps(a.v)}; }
// a > b ? yes : no, and a is NaN ? yes : no, lane by lane.
LENSOR_INLINE f32v where_gt(f32v a, f32v b, f32v yes, f32v no) {
  return {_mm512_mask_mov_ps(no.v, _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ), yes.v)};
}
LENSOR_INLINE f32v where_nan(f32v a, f32v yes, f32v no) {
  return {_mm512_mask_mov_ps(no.v, _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q), yes.v)};
}
// The low halves of 16 lanes.
LENSOR_INLINE void store_low(uint16_t* p, i32v a) {
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16(a.v));
}
LENSOR_INLINE void prefetch(const void* p) { _mm_prefetch((const char*)p, _MM_HINT_T0); }

#elif defined(LENSOR_ISA_AVX2)
// ---------------------------------------------------------------- AVX2 + FMA + F16C
struct f32v {
  __m256 a, b;
};
struct i32v {
  __m256i a, b;
};
LENSOR_INLINE f32v load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
LENSOR_INLINE void store(float* p, f32v x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
LENSOR_INLINE f32v set1(float x) {
  __m256 v = _mm256_set1_ps(x);
  return {v, v};
}
LENSOR_INLINE f32v zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
#define LENSOR_PAIR(name, op)                                                                                \
  LENSOR_INLINE f32v name(f32v x, f32v y) { return {op(x.a, y.a), op(x.b, y.b)}; }
LENSOR_PAIR(add, _mm256_add_ps)
LENSOR_PAIR(sub, _mm256_sub_ps)
LENSOR_PAIR(mul, _mm256_mul_ps)
LENSOR_PAIR(div, _mm256_div_ps)
LENSOR_PAIR(vmax, _mm256_max_ps)
LENSOR_PAIR(vmin, _mm256_min_ps)
#undef LENSOR_PAIR
LENSOR_INLINE f32v fma(f32v x, f32v y, f32v z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
LENSOR_INLINE f32v nearest(f32v x) {
  return {_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
          _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
LENSOR_INLINE f32v load_f16(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)),
          _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(p + 8)))};
}
LENSOR_INLINE void store_f16(uint16_t* p, f32v x) {
  _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128((__m128i*)(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
LENSOR_INLINE __m256 widen_bf16(const uint16_t* p) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16));
}
LENSOR_INLINE f32v load_bf16(const uint16_t* p) { return {widen_bf16(p), widen_bf16(p + 8)}; }
LENSOR_INLINE i32v loadi(const void* p) {
  return {_mm256_loadu_si256((const __m256i*)p), _mm256_loadu_si256((const __m256i*)p + 1)};
}
LENSOR_INLINE void storei(void* p, i32v x) {
  _mm256_storeu_si256((__m256i*)p, x.a);
  _mm256_storeu_si256((__m256i*)p + 1, x.b);
}
LENSOR_INLINE i32v set1i(int32_t x) {
  __m256i v = _mm256_set1_epi32(x);
  return {v, v};
}
LENSOR_INLINE i32v zeroi() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
LENSOR_INLINE i32v addi(i32v x, i32v y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
LENSOR_INLINE i32v subi(i32v x, i32v y) { return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
LENSOR_INLINE i32v andi(i32v x, i32v y) { return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)}; }
LENSOR_INLINE i32v xori(i32v x, i32v y) { return {_mm256_xor_si256(x.a, y.a), _mm256_xor_si256(x.b, y.b)}; }
template <int n> LENSOR_INLINE i32v shr(i32v x) {
  return {_mm256_srli_epi32(x.a, n), _mm256_srli_epi32(x.b, n)};
}
LENSOR_INLINE f32v to_f32(i32v x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
LENSOR_INLINE i32v to_i32(f32v x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
LENSOR_INLINE __m256 pow2_half(__m256i e) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23));
}
LENSOR_INLINE f32v pow2(i32v e) { return {pow2_half(e.a), pow2_half(e.b)}; }
// Eight pairs of 4-bit by 8-bit products fit 16 bits: 8 * 2 * 15 * 127 < 2^15.
LENSOR_INLINE i32v dot4(i32v acc, i32v w, i32v x) {
  return {_mm256_add_epi16(acc.a, _mm256_maddubs_epi16(w.a, x.a)),
          _mm256_add_epi16(acc.b, _mm256_maddubs_epi16(w.b, x.b))};
}
LENSOR_INLINE i32v sum4(i32v acc) {
  const __m256i ones = _mm256_set1_epi16(1);
  return {_mm256_madd_epi16(acc.a, ones), _mm256_madd_epi16(acc.b, ones)};
}
LENSOR_INLINE __m256i even16_half(__m256i w) { return _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8); }
LENSOR_INLINE i32v even16(i32v w) { return {even16_half(w.a), even16_half(w.b)}; }
LENSOR_INLINE i32v odd16(i32v w) { return {_mm256_srai_epi16(w.a, 8), _mm256_srai_epi16(w.b, 8)}; }
LENSOR_INLINE i32v dot16(i32v acc, i32v w, i32v x) {
  return {_mm256_add_epi32(acc.a, _mm256_madd_epi16(w.a, x.a)),
          _mm256_add_epi32(acc.b, _mm256_madd_epi16(w.b, x.b))};
}
LENSOR_INLINE float lane_sum(f32v x) {
  __m256 h = _mm256_add_ps(x.a, x.b);
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
LENSOR_INLINE float lane_max(f32v x) {
  __m256 h = _mm256_max_ps(x.a, x.b);
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_shuffle_ps(q, q, 1)));
}
LENSOR_INLINE f32v vsqrt(f32v x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
LENSOR_INLINE i32v bits(f32v x) { return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)}; }
LENSOR_INLINE f32v from_bits(i32v x) { return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
// x > y ? yes : no, and x is NaN ? yes : no, lane by lane.
LENSOR_INLINE f32v where_gt(f32v x, f32v y, f32v yes, f32v no) {
  return {_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ)),
          _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ))};
}
LENSOR_INLINE f32v where_nan(f32v x, f32v yes, f32v no) {
  return {_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q)),
          _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q))};
}
// The low halves of 16 lanes, each below 2^16.
LENSOR_INLINE void store_low(uint16_t* p, i32v x) {
  _mm256_storeu_si256((__m256i*)p, _mm256_permute4x64_epi64(_mm256_packus_epi32(x.a, x.b), 0xd8));
}
LENSOR_INLINE void prefetch(const void* p) { _mm_prefetch((const char*)p, _MM_HINT_T0); }

#else
// ---------------------------------------------------------------- any machine
struct f32v {
  float v[16];
};
struct i32v {
  int32_t v[16];
};
#define LENSOR_EACH for (int i = 0; i < 16; i++)
LENSOR_INLINE f32v load(const float* p) {
  f32v r;
  memcpy(r.v, p, 64);
  return r;
}
LENSOR_INLINE void store(float* p, f32v a) { memcpy(p, a.v, 64); }
LENSOR_INLINE f32v set1(float x) {
  f32v r;
  LENSOR_EACH r.v[i] = x;
  return r;
}
LENSOR_INLINE f32v zero() { return set1(0); }
LENSOR_INLINE f32v add(f32v a, f32v b) {
  LENSOR_EACH a.v[i] += b.v[i];
  return a;
}
LENSOR_INLINE f32v sub(f32v a, f32v b) {
  LENSOR_EACH a.v[i] -= b.v[i];
  return a;
}
LENSOR_INLINE f32v mul(f32v a, f32v b) {
  LENSOR_EACH a.v[i] *= b.v[i];
  return a;
}
LENSOR_INLINE f32v div(f32v a, f32v b) {
  LENSOR_EACH a.v[i] /= b.v[i];
  return a;
}
LENSOR_INLINE f32v vmax(f32v a, f32v b) {
  LENSOR_EACH a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
  return a;
}
LENSOR_INLINE f32v vmin(f32v a, f32v b) {
  LENSOR_EACH a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
  return a;
}
LENSOR_INLINE f32v fma(f32v a, f32v b, f32v c) {
  LENSOR_EACH c.v[i] += a.v[i] * b.v[i];
  return c;
}
LENSOR_INLINE f32v nearest(f32v a) {
  LENSOR_EACH a.v[i] = nearbyintf(a.v[i]);
  return a;
}
LENSOR_INLINE float f16_to_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023, bits;
  if (exponent == 31)
    bits = sign | 0x7f800000 | (mantissa << 13);
  else if (exponent)
    bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
  else {
    float f = (float)mantissa * 5.9604644775390625e-8f;
    memcpy(&bits, &f, 4);
    bits |= sign;
  }
  float f;
  memcpy(&f, &bits, 4);
  return f;
}
LENSOR_INLINE uint16_t f32_to_f16(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
  bits &= 0x7fffffff;
  if (bits > 0x7f800000) return sign | 0x7e00 | (uint16_t)((bits >> 13) & 0x3ff);
  if (bits >= 0x477ff000) return sign | 0x7c00;
  if (bits < 0x38800000) { // subnormal: let the adder round
    float a;
    memcpy(&a, &bits, 4);
    a += 0.5f;
    memcpy(&bits, &a, 4);
    return sign | (uint16_t)(bits - 0x3f000000);
  }
  bits += 0xc8000fff + ((bits >> 13) & 1);
  return sign | (uint16_t)(bits >> 13);
}
LENSOR_INLINE f32v load_f16(const uint16_t* p) {
  f32v r;
  LENSOR_EACH r.v[i] = f16_to_f32(p[i]);
  return r;
}
LENSOR_INLINE void store_f16(uint16_t* p, f32v a) { LENSOR_EACH p[i] = f32_to_f16(a.v[i]); }
LENSOR_INLINE f32v load_bf16(const uint16_t* p) {
  f32v r;
  LENSOR_EACH {
    uint32_t b = (uint32_t)p[i] << 16;
    memcpy(&r.v[i], &b, 4);
  }
  return r;
}
LENSOR_INLINE i32v loadi(const void* p) {
  i32v r;
  memcpy(r.v, p, 64);
  return r;
}
LENSOR_INLINE void storei(void* p, i32v a) { memcpy(p, a.v, 64); }
LENSOR_INLINE i32v set1i(int32_t x) {
  i32v r;
  LENSOR_EACH r.v[i] = x;
  return r;
}
LENSOR_INLINE i32v zeroi() { return set1i(0); }
LENSOR_INLINE i32v addi(i32v a, i32v b) {
  LENSOR_EACH a.v[i] += b.v[i];
  return a;
}
LENSOR_INLINE i32v subi(i32v a, i32v b) {
  LENSOR_EACH a.v[i] -= b.v[i];
  return a;
}
LENSOR_INLINE i32v andi(i32v a, i32v b) {
  LENSOR_EACH a.v[i] &= b.v[i];
  return a;
}
LENSOR_INLINE i32v xori(i32v a, i32v b) {
  LENSOR_EACH a.v[i] ^= b.v[i];
  return a;
}
template <int n> LENSOR_INLINE i32v shr(i32v a) {
  LENSOR_EACH a.v[i] = (int32_t)((uint32_t)a.v[i] >> n);
  return a;
}
LENSOR_INLINE f32v to_f32(i32v a) {
  f32v r;
  LENSOR_EACH r.v[i] = (float)a.v[i];
  return r;
}
LENSOR_INLINE i32v to_i32(f32v a) {
  i32v r;
  LENSOR_EACH r.v[i] = (int32_t)nearbyintf(a.v[i]);
  return r;
}
LENSOR_INLINE f32v pow2(i32v e) {
  f32v r;
  LENSOR_EACH {
    uint32_t b = (uint32_t)(e.v[i] + 127) << 23;
    memcpy(&r.v[i], &b, 4);
  }
  return r;
}
LENSOR_INLINE i32v dot4(i32v acc, i32v w, i32v x) {
  const int8_t* a = (const int8_t*)w.v;
  const int8_t* b = (const int8_t*)x.v;
  LENSOR_EACH for (int j = 0; j < 4; j++) acc.v[i] += a[4 * i + j] * b[4 * i + j];
  return acc;
}
LENSOR_INLINE i32v sum4(i32v acc) { return acc; }
LENSOR_INLINE i32v widen16(i32v w, int odd) {
  const int8_t* from = (const int8_t*)w.v;
  int16_t to[32];
  for (int i = 0; i < 32; i++) to[i] = from[2 * i + odd];
  i32v r;
  memcpy(r.v, to, 64);
  return r;
}
LENSOR_INLINE i32v even16(i32v w) { return widen16(w, 0); }
LENSOR_INLINE i32v odd16(i32v w) { return widen16(w, 1); }
LENSOR_INLINE i32v dot16(i32v acc, i32v w, i32v x) {
  int16_t a[32], b[32];
  memcpy(a, w.v, 64);
  memcpy(b, x.v, 64);
  LENSOR_EACH acc.v[i] += a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
  return acc;
}
LENSOR_INLINE float lane_sum(f32v a) {
  for (int half = 8; half; half /= 2)
    for (int i = 0; i < half; i++) a.v[i] += a.v[i + half];
  return a.v[0];
}
LENSOR_INLINE float lane_max(f32v a) {
  float m = a.v[0];
  LENSOR_EACH m = a.v[i] > m ? a.v[i] : m;
  return m;
}
LENSOR_INLINE f32v vsqrt(f32v a) {
  LENSOR_EACH a.v[i] = sqrtf(a.v[i]);
  return a;
}
LENSOR_INLINE i32v bits(f32v a) {
  i32v r;
  memcpy(r.v, a.v, 64);
  return r;
}
LENSOR_INLINE f32v from_bits(i32v a) {
  f32v r;
  memcpy(r.v, a.v, 64);
  return r;
}
// a > b ? yes : no, and a is NaN ? yes : no, lane by lane.
LENSOR_INLINE f32v where_gt(f32v a, f32v b, f32v yes, f32v no) {
  LENSOR_EACH no.v[i] = a.v[i] > b.v[i] ? yes.v[i] : no.v[i];
  return no;
}
LENSOR_INLINE f32v where_nan(f32v a, f32v yes, f32v no) {
  LENSOR_EACH no.v[i] = a.v[i] != a.v[i] ? yes.v[i] : no.v[i];
  return no;
}
// The low halves of 16 lanes.
LENSOR_INLINE void store_low(uint16_t* p, i32v a) { LENSOR_EACH p[i] = (uint16_t)a.v[i]; }
LENSOR_INLINE void prefetch(const void*) {}
#undef LENSOR_EACH
#endif

// Products of small integers, four columns of 16 rows at a time:
//   dot4: acc gathers w x, bytes w from 0 to 15, x from -127 to 127; at most 8 calls, then sum4 gives the
//   32-bit sums. even16, odd16: the signed bytes 0 and 2, 1 and 3 of each four as 16 bits; dot16: acc gathers
//   their products with x.

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
// Rounds half to even; a NaN stays one whatever its payload.
LENSOR_INLINE void store_bf16(uint16_t* p, f32v a) {
  i32v b = bits(a);
  i32v rounded = addi(addi(b, set1i(0x7fff)), andi(shr<16>(b), set1i(1)));
  store_low(p, shr<16>(bits(where_nan(a, from_bits(set1i(0x7fc00000)), from_bits(rounded)))));
}
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

} // namespace lensor::LENSOR_ISA
