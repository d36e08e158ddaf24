// One side of a page, its keys or its values, in place of numbers of the cache's dtype (lensor_kv_code), made
// f32 again right before attention reads it. Either side is a matrix whose rows are stored one after another:
// keys [width][room], values [room][padded width]; `room` is a multiple of 16. For kv_code.cc and whoever
// reads pages.
#pragma once
#include "../include/lensor_abi.h"
#include "vec.h"

namespace lensor::LENSOR_ISA {

struct Side {
  int64_t rows, cols;
  bool by_row; // a group that shares scale and offset is a row; else a column
};

LENSOR_INLINE Side side_of(const lensor_kv_code& code, int32_t width, int32_t room, bool values) {
  const int64_t padded_width = (width + 15) / 16 * 16;
  return {values ? room : width, values ? padded_width : room, (code.per_token != 0) == values};
}

// How many groups share a scale and an offset: as f16, scales, then offsets, before the codes.
LENSOR_INLINE int64_t groups_of(const Side& side) { return side.by_row ? side.rows : side.cols; }

// Sixteen codes, 2 B bytes: 2 bits are lanes of one word, 3 bits that and a mask of their highest, 4 bits
// lanes j and j + 8 in a byte.
template <int B> LENSOR_INLINE i32v codes_at(const uint8_t* p) {
#if defined(LENSOR_ISA_AVX512)
  if constexpr (B == 8) {
    return {_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p))};
  } else if constexpr (B == 4) {
    const __m128i pairs = _mm_loadl_epi64((const __m128i*)p), low = _mm_set1_epi8(15);
    const __m128i first = _mm_and_si128(pairs, low), second = _mm_and_si128(_mm_srli_epi16(pairs, 4), low);
    return {_mm512_cvtepu8_epi32(_mm_unpacklo_epi64(first, second))};
  } else {
    int32_t word;
    memcpy(&word, p, 4);
    const __m512i at = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i two =
        _mm512_and_si512(_mm512_srlv_epi32(_mm512_set1_epi32(word), at), _mm512_set1_epi32(3));
    if constexpr (B == 2) return {two};
    uint16_t third;
    memcpy(&third, p + 4, 2);
    return {_mm512_mask_or_epi32(two, third, two, _mm512_set1_epi32(4))};
  }
#else
  int32_t lanes[16];
  if constexpr (B == 8) {
    for (int i = 0; i < 16; i++) lanes[i] = p[i];
  } else if constexpr (B == 4) {
    for (int i = 0; i < 8; i++) lanes[i] = p[i] & 15, lanes[i + 8] = p[i] >> 4;
  } else {
    uint32_t word;
    memcpy(&word, p, 4);
    for (int i = 0; i < 16; i++) lanes[i] = (word >> (2 * i)) & 3;
    if constexpr (B == 3)
      for (int i = 0; i < 16; i++) lanes[i] |= ((p[4 + i / 8] >> (i % 8)) & 1) << 2;
  }
  return loadi(lanes);
#endif
}

template <int B> void decode_bits(const Side& side, const void* from, float* to) {
  const int64_t groups = groups_of(side), vectors = side.cols / 16;
  const uint16_t *scales = (const uint16_t*)from, *offsets = scales + groups;
  const uint8_t* codes = (const uint8_t*)(offsets + groups);
  if (!side.by_row) {
    for (int64_t v = 0; v < vectors; v++) {
      const f32v scale = load_f16(scales + 16 * v), offset = load_f16(offsets + 16 * v);
      for (int64_t r = 0; r < side.rows; r++) {
        const int64_t at = r * vectors + v;
        store(to + 16 * at, fma(to_f32(codes_at<B>(codes + 2 * B * at)), scale, offset));
      }
    }
    return;
  }
  float scale[16], offset[16];
  for (int64_t r = 0; r < side.rows; r++) {
    if (r % 16 == 0) store(scale, load_f16(scales + r)), store(offset, load_f16(offsets + r));
    const f32v s = set1(scale[r % 16]), o = set1(offset[r % 16]);
    for (int64_t at = r * vectors; at < (r + 1) * vectors; at++)
      store(to + 16 * at, fma(to_f32(codes_at<B>(codes + 2 * B * at)), s, o));
  }
}

// Lane i meets lane i ^ S: their sum in the lower, the difference in the upper of the two.
template <int S> LENSOR_INLINE f32v butterfly(f32v x) {
#if defined(LENSOR_ISA_AVX512)
  const __m512 other = S == 1   ? _mm512_permute_ps(x.v, 0xb1)
                       : S == 2 ? _mm512_permute_ps(x.v, 0x4e)
                       : S == 4 ? _mm512_shuffle_f32x4(x.v, x.v, 0xb1)
                                : _mm512_shuffle_f32x4(x.v, x.v, 0x4e);
  constexpr __mmask16 kUpper = S == 1 ? 0xaaaa : S == 2 ? 0xcccc : S == 4 ? 0xf0f0 : 0xff00;
  return {_mm512_mask_sub_ps(_mm512_add_ps(other, x.v), kUpper, other, x.v)};
#else
  float lanes[16], met[16];
  store(lanes, x);
  for (int i = 0; i < 16; i++) met[i] = i & S ? lanes[i ^ S] - lanes[i] : lanes[i] + lanes[i ^ S];
  return load(met);
#endif
}

// The Hadamard rotation (Sylvester's order) over the width, a power of two, in place; its own inverse.
LENSOR_INLINE void rotate_side(int32_t width, const Side& side, bool values, float* m) {
  const f32v share = set1(1 / sqrtf((float)width));
  if (!values) {
    // Two steps at a time, four rows; where their count is odd, the first one alone.
    const bool odd = __builtin_ctz((unsigned)width) % 2;
    for (int64_t i = 0; i < width; i += odd ? 2 : 1)
      for (float *a = m + i * side.cols, *b = a + side.cols, *end = b; a < end; a += 16, b += 16) {
        const f32v x = mul(load(a), share), y = odd ? mul(load(b), share) : zero();
        store(a, add(x, y));
        if (odd) store(b, sub(x, y));
      }
    for (int64_t step = odd ? 2 : 1; step < width; step *= 4)
      for (int64_t i = 0; i < width; i += 4 * step)
        for (int64_t at = i * side.cols; at < (i + step) * side.cols; at += 16) {
          float* p[4];
          for (int k = 0; k < 4; k++) p[k] = m + at + k * step * side.cols;
          const f32v a = load(p[0]), b = load(p[1]), c = load(p[2]), d = load(p[3]);
          const f32v ab = add(a, b), cd = add(c, d), a_b = sub(a, b), c_d = sub(c, d);
          store(p[0], add(ab, cd)), store(p[1], add(a_b, c_d));
          store(p[2], sub(ab, cd)), store(p[3], sub(a_b, c_d));
        }
    return;
  }
  for (int64_t r = 0; r < side.rows; r++) {
    float* row = m + r * side.cols;
    for (int64_t at = 0; at < side.cols; at += 16) {
      f32v x = mul(load(row + at), share);
      if (width > 1) x = butterfly<1>(x);
      if (width > 2) x = butterfly<2>(x);
      if (width > 4) x = butterfly<4>(x);
      if (width > 8) x = butterfly<8>(x);
      store(row + at, x);
    }
    for (int64_t step = 16; step < width; step *= 2)
      for (int64_t i = 0; i < width; i += 2 * step)
        for (int64_t at = i; at < i + step; at += 16) {
          const f32v x = load(row + at), y = load(row + at + step);
          store(row + at, add(x, y)), store(row + at + step, sub(x, y));
        }
  }
}

constexpr int kTile = 4; // rows that coordinates are multiplied for at a time

// Numbers of f32, f16 or bf16.
template <int D> LENSOR_INLINE f32v load_number(const void* p, int64_t at) {
  if constexpr (D == LENSOR_F16)
    return load_f16((const uint16_t*)p + at);
  else if constexpr (D == LENSOR_BF16)
    return load_bf16((const uint16_t*)p + at);
  else
    return load((const float*)p + at);
}

#define LENSOR_FOUR(i) _Pragma("GCC unroll 4") for (int i = 0; i < kTile; i++)
#define LENSOR_VECTORS(v) _Pragma("GCC unroll 4") for (int v = 0; v < N; v++)
// Rows [first, first + n) of N vectors of sixteen from `at` on: sums over the rank, in order.
template <int D, bool Values, int N>
LENSOR_INLINE void rank_tile(const lensor_kv_code& code, int64_t basis_row, const Side& side,
                             const void* from, int64_t first, int n, int64_t at, float* to) {
  f32v sum[kTile][N];
  LENSOR_FOUR(i)
  LENSOR_VECTORS(v) sum[i][v] = zero();
  float x[kTile][16] = {};
  for (int64_t r = 0; r < code.rank; r++) {
    if constexpr (Values)
      for (int i = 0; i < n && r % 16 == 0; i++)
        store(x[i], load_number<D>(from, (first + i) * code.rank + r));
    const float* axis = code.basis + r * basis_row;
    f32v along[N];
    LENSOR_VECTORS(v)
    along[v] = Values ? load(axis + at + 16 * v) : load_number<D>(from, r * side.cols + at + 16 * v);
    LENSOR_FOUR(i) {
      const f32v one = set1(Values ? x[i][r % 16] : axis[first + i]); // the basis has zeros behind its width
      LENSOR_VECTORS(v) sum[i][v] = fma(along[v], one, sum[i][v]);
    }
  }
  for (int i = 0; i < n; i++) LENSOR_VECTORS(v) store(to + (first + i) * side.cols + at + 16 * v, sum[i][v]);
}

#undef LENSOR_FOUR
#undef LENSOR_VECTORS

// Coordinates times the basis. Keys: coordinates [rank][room]; values: [room][rank].
template <int D, bool Values>
void decode_rank(const lensor_kv_code& code, int32_t width, const Side& side, const void* from, float* to) {
  const int64_t basis_row = (width + 15) / 16 * 16;
  for (int64_t first = 0; first < side.rows; first += kTile) {
    const int n = (int)(side.rows - first < kTile ? side.rows - first : kTile);
    int64_t at = 0;
    for (; at + 64 <= side.cols; at += 64)
      rank_tile<D, Values, 4>(code, basis_row, side, from, first, n, at, to);
    for (; at < side.cols; at += 16) rank_tile<D, Values, 1>(code, basis_row, side, from, first, n, at, to);
  }
}

// Kept channels between zeros, each key times its factor where there is a basis. Keys: [rank][room]; values:
// [room][rank].
template <int D, bool Values>
void decode_channels(const lensor_kv_code& code, int32_t, const Side& side, const void* from, float* to) {
  for (int64_t at = 0; at < side.rows * side.cols; at += 16) store(to + at, zero());
  for (int64_t c = 0; c < code.rank && !Values; c++)
    for (int64_t at = 0; at < side.cols; at += 16)
      store(to + code.channels[c] * side.cols + at,
            code.basis ? mul(load_number<D>(from, c * side.cols + at), load(code.basis + at))
                       : load_number<D>(from, c * side.cols + at));
  for (int64_t r = 0; r < side.rows && Values; r++)
    for (int64_t c = 0; c < code.rank; c += 16) {
      float some[16];
      const f32v numbers = load_number<D>(from, r * (int64_t)code.rank + c);
      store(some, code.basis ? mul(numbers, set1(code.basis[r])) : numbers);
      for (int64_t i = c; i < code.rank && i < c + 16; i++)
        to[r * side.cols + code.channels[i]] = some[i - c];
    }
}

template <int D> void decode_numbers(const lensor_kv_code& code, int32_t width, const Side& side, bool values,
                                     const void* from, float* to) {
  const auto decode = code.kind == LENSOR_KV_RANK ? values ? decode_rank<D, true> : decode_rank<D, false>
                      : values                    ? decode_channels<D, true>
                                                  : decode_channels<D, false>;
  decode(code, width, side, from, to);
}

// The side as f32 at `to`, [rows][cols].
static inline void decode_side(const lensor_kv_code& code, int32_t width, int32_t room, bool values,
                               const void* from, float* to) {
  const Side side = side_of(code, width, room, values);
  if (code.kind != LENSOR_KV_BITS) {
    const auto decode = code.dtype == LENSOR_F16    ? decode_numbers<LENSOR_F16>
                        : code.dtype == LENSOR_BF16 ? decode_numbers<LENSOR_BF16>
                                                    : decode_numbers<LENSOR_F32>;
    return decode(code, width, side, values, from, to);
  }
  const auto decode = code.bits == 2   ? decode_bits<2>
                      : code.bits == 3 ? decode_bits<3>
                      : code.bits == 4 ? decode_bits<4>
                                       : decode_bits<8>;
  decode(side, from, to);
  if (code.rotated) rotate_side(width, side, values, to);
}

} // namespace lensor::LENSOR_ISA
