// What flash attention is put together from: one product of small matrices in registers, 2^x, and the layouts
// that its factors are packed into. Scores stand transposed, keys down and queries across, so that softmax
// runs along the lanes' own columns. See vec.h for what this file may include.
#pragma once
#include "flash_mask.h"

namespace lensor::LENSOR_ISA {

constexpr float kLog2e = 1.44269504088896341f, kLn2 = 0.693147180559945309f;

// A factor is f32, or pairs of bf16 along the axis that is summed over.
struct Pair {
  uint32_t bits;
};
template <class T> constexpr int64_t kSummands = 1;
template <> constexpr int64_t kSummands<Pair> = 2;
template <class T> LENSOR_INLINE int64_t steps(int64_t n) { return (n + kSummands<T> - 1) / kSummands<T>; }

LENSOR_INLINE f32v product(f32v acc, const char* a, f32v b, float) {
  float x;
  memcpy(&x, a, 4);
  return fma(set1(x), b, acc);
}
LENSOR_INLINE f32v product(f32v acc, const char* a, f32v b, Pair) {
  int32_t x;
  memcpy(&x, a, 4);
  return dot2(acc, set1i(x), bits(b));
}

// c[R][16 C] (+)= a[R][depth] b[depth][16 C], each element one chain along depth in order. `down` and `along`
// are a's strides in bytes; b's and c's are in elements.
template <class T, int R, int C> void tile(int64_t depth, const char* a, int64_t down, int64_t along,
                                           const T* b, int64_t b_row, float* c, int64_t c_row, bool first) {
  f32v acc[R][C];
  // Unrolled by hand: an accumulator that is reached by a counter lives in memory.
#pragma GCC unroll 12
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int j = 0; j < C; j++) acc[r][j] = zero();
  if (!first)
#pragma GCC unroll 12
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
      for (int j = 0; j < C; j++) acc[r][j] = load(c + r * c_row + 16 * j);
  for (int64_t k = 0; k < depth; k++) {
    f32v row[C];
#pragma GCC unroll 4
    for (int j = 0; j < C; j++) row[j] = load((const float*)(b + 16 * j));
#pragma GCC unroll 12
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
      for (int j = 0; j < C; j++) acc[r][j] = product(acc[r][j], a + r * down, row[j], T());
    a += along;
    b += b_row;
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int j = 0; j < C; j++) store(c + r * c_row + 16 * j, acc[r][j]);
}

// Accumulators that the registers hold beside the rows of b.
#if defined(LENSOR_ISA_AVX512)
constexpr int kAcross = 4;
constexpr int rows_of(int across) { return across > 2 ? 24 / across : 12; }
#elif defined(LENSOR_ISA_AVX2)
constexpr int kAcross = 1;
constexpr int rows_of(int) { return 6; }
#else
constexpr int kAcross = 1;
constexpr int rows_of(int) { return 2; }
#endif

template <class T>
using Tile = void (*)(int64_t, const char*, int64_t, int64_t, const T*, int64_t, float*, int64_t, bool);
template <class T, int R, int C> Tile<T> tile_of(int64_t rows) {
  if constexpr (R == 0)
    return nullptr;
  else
    return rows == R ? (Tile<T>)tile<T, R, C> : tile_of<T, R - 1, C>(rows);
}
template <class T, int C> void columns(int64_t rows, int64_t depth, const char* a, int64_t down,
                                       int64_t along, const T* b, int64_t b_row, float* c, int64_t c_row,
                                       bool first) {
  constexpr int R = rows_of(C);
  for (; rows >= R; rows -= R, a += R * down, c += R * c_row)
    tile<T, R, C>(depth, a, down, along, b, b_row, c, c_row, first);
  if (rows) tile_of<T, R - 1, C>(rows)(depth, a, down, along, b, b_row, c, c_row, first);
}
// c[rows][width] (+)= a b; width is a multiple of 16.
template <class T> void multiply(int64_t rows, int64_t width, int64_t depth, const void* a, int64_t down,
                                 int64_t along, const T* b, int64_t b_row, float* c, int64_t c_row,
                                 bool first) {
  for (; width >= 16 * kAcross; width -= 16 * kAcross, b += 16 * kAcross, c += 16 * kAcross)
    columns<T, kAcross>(rows, depth, (const char*)a, down, along, b, b_row, c, c_row, first);
  if constexpr (kAcross == 4) {
    if (width == 48)
      return columns<T, 3>(rows, depth, (const char*)a, down, along, b, b_row, c, c_row, first);
    if (width == 32)
      return columns<T, 2>(rows, depth, (const char*)a, down, along, b, b_row, c, c_row, first);
    if (width == 16)
      return columns<T, 1>(rows, depth, (const char*)a, down, along, b, b_row, c, c_row, first);
  }
}

// 2^x for x up to about 0, exactly 0 below -126.5: 2^r, |r| <= 1/2, by a polynomial of degree 6 (relative
// error 2e-9) or, where the result is rounded to bf16, 4 (3e-6). The sum with a large number leaves x's whole
// part where the shift makes an exponent of it.
LENSOR_INLINE f32v least_exponent(f32v x) { return vmax(set1(-127.0f), x); }
template <class T> LENSOR_INLINE f32v exp2_of(f32v clamped) {
  const f32v large = set1(12582912.0f + 127.0f);
  const f32v t = add(clamped, large);
  const f32v r = sub(clamped, sub(t, large));
  f32v p;
  if constexpr (kSummands<T> == 1) {
    p = fma(set1(0.00015353362f), r, set1(0.0013398874f));
    p = fma(p, r, set1(0.009618437f));
    p = fma(p, r, set1(0.055503324f));
    p = fma(p, r, set1(0.24022648f));
    p = fma(p, r, set1(0.6931472f));
  } else {
    p = fma(set1(0.009582853f), r, set1(0.055906426f));
    p = fma(p, r, set1(0.24024099f));
    p = fma(p, r, set1(0.6931242f));
  }
  return mul(fma(p, r, set1(1.0f)), from_bits(shl<23>(bits(t))));
}

LENSOR_INLINE const char* place(const lensor_heads& m, int32_t dtype, int64_t row, int64_t head) {
  return (const char*)m.data + (row * m.row + head * m.head) * size_of(dtype);
}

// n values (at most 16) of a row as f32, the rest 0.
LENSOR_INLINE f32v sixteen(int32_t dtype, const char* p, int64_t n) {
  if (n <= 0) return zero();
  if (dtype == LENSOR_F32) return n >= 16 ? load((const float*)p) : load_part((const float*)p, (int)n, 0);
  if (n >= 16) return load_bf16((const uint16_t*)p);
  uint16_t some[16] = {};
  memcpy(some, p, (size_t)n * 2);
  return load_bf16(some);
}
// The other way: at most the first 16 of n values.
LENSOR_INLINE void put_sixteen(int32_t dtype, f32v x, int64_t n, void* to) {
  if (n >= 16 && dtype == LENSOR_F32) return store((float*)to, x);
  if (n >= 16) return store_bf16((uint16_t*)to, x);
  float some[16];
  store(some, x);
  put_f32(dtype, some, n, to);
}
// 16 lanes of a row from value `at` on: f32, or pairs of bf16.
LENSOR_INLINE i32v lanes_of(int32_t dtype, const char* row, int64_t at, int64_t width, float) {
  return bits(sixteen(dtype, row + at * size_of(dtype), width - at));
}
LENSOR_INLINE i32v lanes_of(int32_t dtype, const char* row, int64_t at, int64_t width, Pair) {
  const char* p = row + at * size_of(dtype);
  if (dtype == LENSOR_BF16 && at + 32 <= width) return loadi(p);
  return narrow(sixteen(dtype, p, width - at), sixteen(dtype, p + 16 * size_of(dtype), width - at - 16));
}
// Values of a padded row, in T's lanes of 16.
template <class T> LENSOR_INLINE int64_t row_lanes(int64_t width) { return padded(steps<T>(width)); }

// to[rows][row_lanes]: rows as they are, in T.
template <class T> static inline void pack_rows(int32_t dtype, const char* from, int64_t stride, int64_t rows,
                                                int64_t width, T* to) {
  const int64_t lanes = row_lanes<T>(width);
  for (int64_t r = 0; r < rows; r++, from += stride, to += lanes)
    for (int64_t i = 0; i < lanes; i += 16)
      storei(to + i, lanes_of(dtype, from, i * kSummands<T>, width, T()));
}
// to[row_lanes][kSide]: their transpose; missing rows are 0 up to the next 16.
template <class T> static inline void pack_columns(int32_t dtype, const char* from, int64_t stride,
                                                   int64_t rows, int64_t width, T* to) {
  const int64_t lanes = row_lanes<T>(width);
  for (int64_t r = 0; r < rows; r += 16)
    for (int64_t i = 0; i < lanes; i += 16) {
      const auto row = [&](int j) __attribute__((always_inline)) {
        return from_bits(lanes_of(dtype, from + (r + j) * stride, i * kSummands<T>, width, T()));
      };
      f32v some[16];
      if (r + 16 <= rows)
        for (int j = 0; j < 16; j++) some[j] = row(j);
      else
        for (int j = 0; j < 16; j++) some[j] = r + j < rows ? row(j) : zero();
      transpose(some);
      for (int j = 0; j < 16; j++) store((float*)(to + (i + j) * kSide + r), some[j]);
    }
}
// to[rows / 2][padded width] of pairs down the rows; what a last odd row lacks is 0.
static inline void pack_down(int32_t dtype, const char* from, int64_t stride, int64_t rows, int64_t width,
                             Pair* to) {
  for (int64_t r = 0; r < rows; r += 2, from += 2 * stride)
    for (int64_t i = 0; i < width; i += 16, to += 16) {
      const char *a = from + i * size_of(dtype), *b = a + stride;
      const bool two = r + 1 < rows;
      storei(to, interleave(dtype == LENSOR_BF16 && two && i + 16 <= width
                                ? join(a, b)
                                : narrow(sixteen(dtype, a, width - i),
                                         two ? sixteen(dtype, b, width - i) : zero())));
    }
}
// A factor whose rows are summed over: pairs down, or in f32 the padded rows.
template <class T> static inline void pack_summed(int32_t dtype, const char* from, int64_t stride,
                                                  int64_t rows, int64_t width, T* to) {
  if constexpr (kSummands<T> == 2)
    pack_down(dtype, from, stride, rows, width, to);
  else
    pack_rows(dtype, from, stride, rows, width, to);
}

} // namespace lensor::LENSOR_ISA
