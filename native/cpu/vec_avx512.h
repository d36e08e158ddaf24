// Sixteen lanes as one zmm: AVX-512 F, BW, VL, DQ and VNNI. Included by vec.h alone.
#pragma once

namespace lensor::LENSOR_ISA {

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
template <int n> LENSOR_INLINE i32v shl(i32v a) { return {_mm512_slli_epi32(a.v, n)}; }
template <int n> LENSOR_INLINE i32v shr(i32v a) { return {_mm512_srli_epi32(a.v, n)}; }
LENSOR_INLINE i32v shr_by(i32v a, int n) { return {_mm512_srl_epi32(a.v, _mm_cvtsi32_si128(n))}; }
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
// Lane i is what the lanes of v[i] come to under `op`, in whatever order.
template <class Op> LENSOR_INLINE __m512 across(const __m512* v, const Op& op) {
  __m512 four[4];
  for (int i = 0; i < 4; i++, v += 4) {
    const __m512 a = op(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1])),
                 b = op(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
    four[i] = op(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
  }
  const auto quarters = [&](__m512 a, __m512 b) __attribute__((always_inline)) {
    return op(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  };
  return quarters(quarters(four[0], four[1]), quarters(four[2], four[3]));
}
LENSOR_INLINE f32v lane_maxes(const f32v* v) {
  __m512 all[16];
  for (int i = 0; i < 16; i++) all[i] = v[i].v;
  return {across(all, [](__m512 a, __m512 b) __attribute__((always_inline)) { return _mm512_max_ps(a, b); })};
}
LENSOR_INLINE i32v lane_sums(const i32v* v) {
  __m512 all[16];
  for (int i = 0; i < 16; i++) all[i] = _mm512_castsi512_ps(v[i].v);
  return {_mm512_castps_si512(across(all, [](__m512 a, __m512 b) __attribute__((always_inline)) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
  }))};
}
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
// Rows become columns, in place.
LENSOR_INLINE void transpose(f32v* v) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 4) {
    const __m512 a = _mm512_unpacklo_ps(v[i].v, v[i + 1].v), b = _mm512_unpackhi_ps(v[i].v, v[i + 1].v);
    const __m512 c = _mm512_unpacklo_ps(v[i + 2].v, v[i + 3].v),
                 d = _mm512_unpackhi_ps(v[i + 2].v, v[i + 3].v);
    t[i] = _mm512_shuffle_ps(a, c, 0x44), t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm512_shuffle_ps(b, d, 0x44), t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
  }
  // t[4 g + c] holds, in quarter q, column 4 q + c of rows 4 g to 4 g + 3.
  for (int c = 0; c < 4; c++) {
    const __m512 low = _mm512_shuffle_f32x4(t[c], t[4 + c], 0x88),
                 high = _mm512_shuffle_f32x4(t[8 + c], t[12 + c], 0x88);
    const __m512 low2 = _mm512_shuffle_f32x4(t[c], t[4 + c], 0xdd),
                 high2 = _mm512_shuffle_f32x4(t[8 + c], t[12 + c], 0xdd);
    v[c].v = _mm512_shuffle_f32x4(low, high, 0x88);
    v[8 + c].v = _mm512_shuffle_f32x4(low, high, 0xdd);
    v[4 + c].v = _mm512_shuffle_f32x4(low2, high2, 0x88);
    v[12 + c].v = _mm512_shuffle_f32x4(low2, high2, 0xdd);
  }
}
#if defined(LENSOR_ISA_AVX512BF16)
LENSOR_INLINE f32v dot2(f32v acc, i32v a, i32v b) {
  return {_mm512_dpbf16_ps(acc.v, (__m512bh)a.v, (__m512bh)b.v)};
}
#endif
// Pairs of bf16 (see vec.h), each lane's two side by side.
LENSOR_INLINE __m256i round_bf16(f32v a) {
#if defined(LENSOR_ISA_AVX512BF16)
  return (__m256i)_mm512_cvtneps_pbh(a.v);
#else
  const __m512i b = _mm512_castps_si512(a.v);
  const __m512i half = _mm512_add_epi32(_mm512_set1_epi32(0x7fff),
                                        _mm512_and_si512(_mm512_srli_epi32(b, 16), _mm512_set1_epi32(1)));
  const __m512i sum = _mm512_mask_mov_epi32(
      _mm512_add_epi32(b, half), _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q), _mm512_set1_epi32(0x7fc00000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(sum, 16));
#endif
}
LENSOR_INLINE i32v narrow(f32v a, f32v b) {
#if defined(LENSOR_ISA_AVX512BF16)
  return {(__m512i)_mm512_cvtne2ps_pbh(b.v, a.v)};
#else
  return {_mm512_inserti64x4(_mm512_castsi256_si512(round_bf16(a)), round_bf16(b), 1)};
#endif
}
LENSOR_INLINE i32v join(const void* a, const void* b) {
  return {_mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i*)a)),
                             _mm256_loadu_si256((const __m256i*)b), 1)};
}
LENSOR_INLINE void store_halves(void* a, void* b, i32v x) {
  _mm256_storeu_si256((__m256i*)a, _mm512_castsi512_si256(x.v));
  _mm256_storeu_si256((__m256i*)b, _mm512_extracti64x4_epi64(x.v, 1));
}
LENSOR_INLINE i32v interleave(i32v x) {
  const __m512i low = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  // Lane i takes elements i and 16 + i.
  return {_mm512_permutexvar_epi16(
      _mm512_or_si512(low, _mm512_slli_epi32(_mm512_add_epi32(low, _mm512_set1_epi32(16)), 16)), x.v)};
}
// First n of 16 values; the rest `fill`.
LENSOR_INLINE f32v load_part(const float* p, int n, float fill) {
  return {_mm512_mask_loadu_ps(_mm512_set1_ps(fill), (__mmask16)((1u << n) - 1), p)};
}
LENSOR_INLINE void store_part(float* p, f32v a, int n) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a.v);
}
// Small integers of weights, activations and 8-bit keys.
LENSOR_INLINE i32v ori(i32v a, i32v b) { return {_mm512_or_si512(a.v, b.v)}; }
LENSOR_INLINE i32v dot4_wide(i32v acc, i32v w, i32v x) { return {_mm512_dpbusd_epi32(acc.v, w.v, x.v)}; }
LENSOR_INLINE i32v load_i8(const int8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p))};
}
LENSOR_INLINE void store_i8(int8_t* p, i32v a) { _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8(a.v)); }
// Each byte, below 16, becomes that of the table.
LENSOR_INLINE i32v look_up(i32v w, const uint8_t* table) {
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)table)), w.v)};
}
LENSOR_INLINE i32v swap_middle(i32v a) { return {_mm512_shuffle_epi32(a.v, (_MM_PERM_ENUM)0xd8)}; }
LENSOR_INLINE void prefetch(const void* p) { _mm_prefetch((const char*)p, _MM_HINT_T0); }

// Lane i is table[at[i]]; all lanes ask for one half of the table.
template <int half> LENSOR_INLINE f32v pick(f32v table, i32v at) {
  return {_mm512_permutexvar_ps(at.v, table.v)};
}
} // namespace lensor::LENSOR_ISA
