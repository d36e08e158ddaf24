// Eight f64 lanes under one name for every instruction set, for the few sums that f32 is too coarse for. See
// vec.h for what this file may include.
#pragma once
#include "vec.h"

namespace lensor::LENSOR_ISA {

#if defined(LENSOR_ISA_AVX512)
struct f64v {
  __m512d v;
};
LENSOR_INLINE f64v load8(const double* p) { return {_mm512_loadu_pd(p)}; }
LENSOR_INLINE f64v widen8(const float* p) { return {_mm512_cvtps_pd(_mm256_loadu_ps(p))}; }
LENSOR_INLINE void store8(double* p, f64v a) { _mm512_storeu_pd(p, a.v); }
LENSOR_INLINE f64v set8(double x) { return {_mm512_set1_pd(x)}; }
LENSOR_INLINE f64v add8(f64v a, f64v b) { return {_mm512_add_pd(a.v, b.v)}; }
// c + a b, and c - a b: rounded once where the machine can.
LENSOR_INLINE f64v plus8(f64v c, f64v a, f64v b) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
LENSOR_INLINE f64v minus8(f64v c, f64v a, f64v b) { return {_mm512_fnmadd_pd(a.v, b.v, c.v)}; }
#elif defined(LENSOR_ISA_AVX2)
struct f64v {
  __m256d a, b;
};
LENSOR_INLINE f64v load8(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
LENSOR_INLINE f64v widen8(const float* p) {
  return {_mm256_cvtps_pd(_mm_loadu_ps(p)), _mm256_cvtps_pd(_mm_loadu_ps(p + 4))};
}
LENSOR_INLINE void store8(double* p, f64v x) {
  _mm256_storeu_pd(p, x.a);
  _mm256_storeu_pd(p + 4, x.b);
}
LENSOR_INLINE f64v set8(double x) { return {_mm256_set1_pd(x), _mm256_set1_pd(x)}; }
LENSOR_INLINE f64v add8(f64v x, f64v y) { return {_mm256_add_pd(x.a, y.a), _mm256_add_pd(x.b, y.b)}; }
LENSOR_INLINE f64v plus8(f64v c, f64v x, f64v y) {
  return {_mm256_fmadd_pd(x.a, y.a, c.a), _mm256_fmadd_pd(x.b, y.b, c.b)};
}
LENSOR_INLINE f64v minus8(f64v c, f64v x, f64v y) {
  return {_mm256_fnmadd_pd(x.a, y.a, c.a), _mm256_fnmadd_pd(x.b, y.b, c.b)};
}
#else
struct f64v {
  double v[8];
};
LENSOR_INLINE f64v load8(const double* p) {
  f64v x;
  memcpy(x.v, p, sizeof x.v);
  return x;
}
LENSOR_INLINE f64v widen8(const float* p) {
  f64v x;
  for (int i = 0; i < 8; i++) x.v[i] = p[i];
  return x;
}
LENSOR_INLINE void store8(double* p, f64v x) { memcpy(p, x.v, sizeof x.v); }
LENSOR_INLINE f64v set8(double a) {
  f64v x;
  for (int i = 0; i < 8; i++) x.v[i] = a;
  return x;
}
LENSOR_INLINE f64v add8(f64v x, f64v y) {
  for (int i = 0; i < 8; i++) x.v[i] += y.v[i];
  return x;
}
LENSOR_INLINE f64v plus8(f64v c, f64v x, f64v y) {
  for (int i = 0; i < 8; i++) c.v[i] += x.v[i] * y.v[i];
  return c;
}
LENSOR_INLINE f64v minus8(f64v c, f64v x, f64v y) {
  for (int i = 0; i < 8; i++) c.v[i] -= x.v[i] * y.v[i];
  return c;
}
#endif

LENSOR_INLINE double sum8(f64v x) {
  double v[8];
  store8(v, x);
  return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

// Sum of a[i] b[i] in f64: products of f32 are exact there. n is a multiple of 16.
LENSOR_INLINE double dot_f64(const float* a, const float* b, int64_t n) {
  f64v even = set8(0), odd = even;
  for (int64_t i = 0; i < n; i += 16) {
    even = plus8(even, widen8(a + i), widen8(b + i));
    odd = plus8(odd, widen8(a + i + 8), widen8(b + i + 8));
  }
  return sum8(add8(even, odd));
}

} // namespace lensor::LENSOR_ISA
