// Sixteen lanes as an array, for any machine. Included by vec.h alone.
#pragma once

namespace lensor::LENSOR_ISA {

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
template <int n> LENSOR_INLINE i32v shl(i32v a) {
  LENSOR_EACH a.v[i] = (int32_t)((uint32_t)a.v[i] << n);
  return a;
}
template <int n> LENSOR_INLINE i32v shr(i32v a) {
  LENSOR_EACH a.v[i] = (int32_t)((uint32_t)a.v[i] >> n);
  return a;
}
LENSOR_INLINE i32v shr_by(i32v a, int n) {
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
// Pairs of bf16 (see vec.h), each lane's two side by side.
LENSOR_INLINE i32v narrow(f32v a, f32v b) {
  uint16_t to[32];
  for (int i = 0; i < 32; i++) {
    const float x = i < 16 ? a.v[i] : b.v[i - 16];
    uint32_t n;
    memcpy(&n, &x, 4);
    to[i] = x != x ? 0x7fc0 : (uint16_t)((n + 0x7fff + (n >> 16 & 1)) >> 16);
  }
  i32v r;
  memcpy(r.v, to, 64);
  return r;
}
LENSOR_INLINE i32v join(const void* a, const void* b) {
  i32v r;
  memcpy(r.v, a, 32);
  memcpy(r.v + 8, b, 32);
  return r;
}
LENSOR_INLINE void store_halves(void* a, void* b, i32v x) {
  memcpy(a, x.v, 32);
  memcpy(b, x.v + 8, 32);
}
LENSOR_INLINE i32v interleave(i32v x) {
  uint16_t from[32];
  memcpy(from, x.v, 64);
  LENSOR_EACH x.v[i] = (int32_t)(from[i] | (uint32_t)from[16 + i] << 16);
  return x;
}
// Small integers of weights, activations and 8-bit keys.
LENSOR_INLINE i32v ori(i32v a, i32v b) {
  LENSOR_EACH a.v[i] |= b.v[i];
  return a;
}
LENSOR_INLINE i32v dot4_wide(i32v acc, i32v w, i32v x) { return dot4(acc, w, x); }
LENSOR_INLINE i32v load_i8(const int8_t* p) {
  i32v r;
  LENSOR_EACH r.v[i] = p[i];
  return r;
}
LENSOR_INLINE void store_i8(int8_t* p, i32v a) { LENSOR_EACH p[i] = (int8_t)a.v[i]; }
LENSOR_INLINE int32_t lane_sumi(i32v a) {
  int32_t sum = 0;
  LENSOR_EACH sum += a.v[i];
  return sum;
}
// Each byte, below 16, becomes that of the table.
LENSOR_INLINE i32v look_up(i32v w, const uint8_t* table) {
  LENSOR_EACH {
    uint32_t word = 0;
    for (int t = 0; t < 4; t++) word |= (uint32_t)table[(uint32_t)w.v[i] >> (8 * t) & 15] << (8 * t);
    w.v[i] = (int32_t)word;
  }
  return w;
}
LENSOR_INLINE i32v swap_middle(i32v a) {
  for (int i = 0; i < 16; i += 4) {
    const int32_t second = a.v[i + 1];
    a.v[i + 1] = a.v[i + 2];
    a.v[i + 2] = second;
  }
  return a;
}
LENSOR_INLINE void prefetch(const void*) {}
// Lane i is table[at[i]]; all lanes ask for one half of the table.
template <int half> LENSOR_INLINE f32v pick(f32v table, i32v at) {
  f32v r;
  LENSOR_EACH r.v[i] = table.v[at.v[i] & 15];
  return r;
}
#undef LENSOR_EACH

} // namespace lensor::LENSOR_ISA
