// The innermost loop of a matrix product: one tile of results in registers, its rows and columns read from
// packed panels (gemm_pack.h). Compute-bound as long as the panels come from the second-level cache. Knows
// nothing of blocks, threads or results' types.
#pragma once
#include "vec.h"

namespace lensor::LENSOR_ISA {

// A register tile: kRows rows of kLanes x 16 columns, as many accumulators as the registers hold beside what
// feeds them.
#if defined(LENSOR_ISA_AVX512)
constexpr int kRows = 12, kLanes = 2;
#elif defined(LENSOR_ISA_AVX2)
constexpr int kRows = 6, kLanes = 1;
#else
constexpr int kRows = 2, kLanes = 1;
#endif
constexpr int kCols = kLanes * 16;

// c[R][16 L] (+)= a[n][kRows] times n entries along K of 16 L columns, f32 or pairs of bf16: read(k, l) gives
// sixteen of them. `first`: from 0.
template <int R, int L, bool half, class Right> LENSOR_INLINE void
add_products(int64_t n, const float* a, const Right& read, float* c, int64_t stride, bool first) {
  f32v acc[R][L];
  _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) _Pragma("GCC unroll 2") for (int l = 0; l < L; l++)
      acc[r][l] = first ? zero() : load(c + r * stride + 16 * l);
  for (int64_t k = 0; k < n; k++) {
    f32v right[L];
    _Pragma("GCC unroll 2") for (int l = 0; l < L; l++) right[l] = read(k, l);
    _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) {
      const f32v left = set1(a[k * kRows + r]);
      _Pragma("GCC unroll 2") for (int l = 0; l < L; l++) acc[r][l] =
          half ? dot2(acc[r][l], bits(left), bits(right[l])) : fma(left, right[l], acc[r][l]);
    }
  }
  _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) _Pragma("GCC unroll 2") for (int l = 0; l < L; l++)
      store(c + r * stride + 16 * l, acc[r][l]);
}

// Columns from a packed panel w[n][kCols].
template <int R, int L, bool half>
void tile(int64_t n, const float* a, const float* w, float* c, int64_t stride, bool first) {
  add_products<R, L, half>(
      n, a, [=](int64_t k, int l) { return load(w + k * kCols + 16 * l); }, c, stride, first);
}

// of<R, L>(), for 1 to kRows rows and as many lanes as `columns` need.
template <class Of, int R = kRows> auto sized(int64_t rows, int64_t columns, const Of& of) {
  if constexpr (R > 1)
    if (rows < R) return sized<Of, R - 1>(rows, columns, of);
  return columns <= 16 ? of.template operator()<R, 1>() : of.template operator()<R, kLanes>();
}

using Tile = void (*)(int64_t, const float*, const float*, float*, int64_t, bool);
template <bool half> Tile tile_of(int64_t rows, int64_t columns) {
  return sized(rows, columns, []<int R, int L>() -> Tile { return tile<R, L, half>; });
}

} // namespace lensor::LENSOR_ISA
