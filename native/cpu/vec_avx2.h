// Sixteen lanes as two ymm: AVX2, FMA and F16C. Included by vec.h alone.
#pragma once

namespace lensor::LENSOR_ISA {

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
template <int n> LENSOR_INLINE i32v shl(i32v x) {
  return {_mm256_slli_epi32(x.a, n), _mm256_slli_epi32(x.b, n)};
}
template <int n> LENSOR_INLINE i32v shr(i32v x) {
  return {_mm256_srli_epi32(x.a, n), _mm256_srli_epi32(x.b, n)};
}
LENSOR_INLINE i32v shr_by(i32v x, int n) {
  const __m128i by = _mm_cvtsi32_si128(n);
  return {_mm256_srl_epi32(x.a, by), _mm256_srl_epi32(x.b, by)};
}
LENSOR_INLINE f32v to_f32(i32v x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
LENSOR_INLINE i32v to_i32(f32v x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
LENSOR_INLINE __m256 pow2_half(__m256i e) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23));
}
LENSOR_INLINE f32v pow2(i32v e) { return {pow2_half(e.a), pow2_half(e.b)}; }
// Four pairs of 5-bit by 8-bit products fit 16 bits: 4 * 2 * 31 * 127 < 2^15.
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
// Pairs of bf16 (see vec.h), each lane's two side by side.
LENSOR_INLINE __m256i round_bf16_half(__m256 x) {
  const __m256i b = _mm256_castps_si256(x);
  const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(b, _mm256_set1_epi32(0x7fff)),
                                       _mm256_and_si256(_mm256_srli_epi32(b, 16), _mm256_set1_epi32(1)));
  return _mm256_srli_epi32(_mm256_castps_si256(_mm256_blendv_ps(
                               _mm256_castsi256_ps(sum), _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000)),
                               _mm256_cmp_ps(x, x, _CMP_UNORD_Q))),
                           16);
}
LENSOR_INLINE __m256i round_bf16(f32v x) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(round_bf16_half(x.a), round_bf16_half(x.b)), 0xd8);
}
LENSOR_INLINE i32v narrow(f32v x, f32v y) { return {round_bf16(x), round_bf16(y)}; }
LENSOR_INLINE i32v join(const void* a, const void* b) {
  return {_mm256_loadu_si256((const __m256i*)a), _mm256_loadu_si256((const __m256i*)b)};
}
LENSOR_INLINE void store_halves(void* a, void* b, i32v x) {
  _mm256_storeu_si256((__m256i*)a, x.a);
  _mm256_storeu_si256((__m256i*)b, x.b);
}
LENSOR_INLINE i32v interleave(i32v x) {
  const __m256i low = _mm256_unpacklo_epi16(x.a, x.b), high = _mm256_unpackhi_epi16(x.a, x.b);
  return {_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31)};
}
// Small integers of weights, activations and 8-bit keys.
LENSOR_INLINE i32v ori(i32v x, i32v y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
// Two products of 6 by 8 bits fit 16.
LENSOR_INLINE i32v dot4_wide(i32v acc, i32v w, i32v x) {
  const __m256i ones = _mm256_set1_epi16(1);
  return {_mm256_add_epi32(acc.a, _mm256_madd_epi16(_mm256_maddubs_epi16(w.a, x.a), ones)),
          _mm256_add_epi32(acc.b, _mm256_madd_epi16(_mm256_maddubs_epi16(w.b, x.b), ones))};
}
LENSOR_INLINE i32v load_i8(const int8_t* p) {
  const __m128i v = _mm_loadu_si128((const __m128i*)p);
  return {_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))};
}
// Each lane from -128 to 127.
LENSOR_INLINE void store_i8(int8_t* p, i32v x) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
  _mm_storeu_si128((__m128i*)p,
                   _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}
LENSOR_INLINE int32_t lane_sumi(i32v x) {
  const __m256i h = _mm256_add_epi32(x.a, x.b);
  __m128i q = _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
  q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(q, _mm_shuffle_epi32(q, 0xb1)));
}
// Each byte, below 16, becomes that of the table.
LENSOR_INLINE i32v look_up(i32v w, const uint8_t* table) {
  const __m256i all = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)table));
  return {_mm256_shuffle_epi8(all, w.a), _mm256_shuffle_epi8(all, w.b)};
}
LENSOR_INLINE i32v swap_middle(i32v x) {
  return {_mm256_shuffle_epi32(x.a, 0xd8), _mm256_shuffle_epi32(x.b, 0xd8)};
}
LENSOR_INLINE void prefetch(const void* p) { _mm_prefetch((const char*)p, _MM_HINT_T0); }

// Lane i is table[at[i]]; all lanes ask for one half of the table.
template <int half> LENSOR_INLINE f32v pick(f32v table, i32v at) {
  const __m256 t = half ? table.b : table.a;
  return {_mm256_permutevar8x32_ps(t, at.a), _mm256_permutevar8x32_ps(t, at.b)};
}
} // namespace lensor::LENSOR_ISA
