// The sides of a matrix product as the tile reads them: panels of `width` lines (rows of a, columns of w),
// [K][width] of f32, or [K / 2][width] of pairs of bf16 along K. Lines and a last odd k that do not exist are
// zeros. A side is a strided view, or a packed weight that is dequantized on the way.
#pragma once
#include "element.h"
#include "unpack.h"

namespace lensor::LENSOR_ISA {

struct Side {
  const char* data; // a view's matrix: element (line, k) at line * ls + k * ks
  int64_t ls, ks;
  int32_t dtype;
  const lensor_weight* weight; // else lines are its rows, or with `flipped` its columns
  int32_t flipped;
  int64_t lines, depth;
};

LENSOR_INLINE f32v element_part(const Side& s, int64_t at, int n) {
  if (s.dtype == LENSOR_F32) return load_part((const float*)s.data + at, n, 0);
  const uint16_t* p = (const uint16_t*)s.data + at;
  uint16_t part[16] = {};
  if (n < 16) {
    memcpy(part, p, (size_t)n * 2);
    p = part;
  }
  return s.dtype == LENSOR_F16 ? load_f16(p) : load_bf16(p);
}

// v[i]: lines [line, line + n) at k + i, for i < depth; zeros past them. n, depth <= 16.
static inline void strided_block(const Side& s, int64_t line, int n, int64_t k, int depth, f32v* v) {
  if (s.ls == 1) {
    for (int i = 0; i < 16; i++) v[i] = i < depth ? element_part(s, line + (k + i) * s.ks, n) : zero();
    return;
  }
  if (s.ks == 1) {
    for (int i = 0; i < 16; i++) v[i] = i < n ? element_part(s, (line + i) * s.ls + k, depth) : zero();
    return transpose(v);
  }
  for (int i = 0; i < 16; i++) {
    float lanes[16] = {};
    for (int j = 0; j < n && i < depth; j++)
      store_part(lanes + j, element_part(s, (line + j) * s.ls + (k + i) * s.ks, 1), 1);
    v[i] = load(lanes);
  }
}

// The same of a packed weight; for its rows `line` is a multiple of 16, for its columns k is. Blocks of
// quantized columns begin at multiples of 32: what is around the wanted 16 is unpacked with them.
static inline void weight_block(const Side& s, int64_t line, int n, int64_t k, int depth, f32v* v) {
  const lensor_weight* w = s.weight;
  const int64_t row = s.flipped ? k : line, column = s.flipped ? line : k;
  const uint8_t* panel = (const uint8_t*)w->data + row / LENSOR_PANEL * panel_bytes(w->dtype, w->cols);
  const int64_t first = is_quantized(w->dtype) ? column / LENSOR_BLOCK * LENSOR_BLOCK : column;
  const int64_t left = w->cols - first;
  float values[LENSOR_BLOCK * LENSOR_PANEL];
  unpack(w->dtype, panel, first, (int)(left < LENSOR_BLOCK ? left : LENSOR_BLOCK), values);
  const int wanted = s.flipped ? n : depth;
  for (int i = 0; i < 16; i++)
    v[i] = i < wanted ? load(values + (column - first + i) * LENSOR_PANEL) : zero();
  if (!s.flipped) return;
  transpose(v); // rows past the last are zeros in the panel
}

// Panel columns [k, k + depth) of lines [line, line + width) to `to`, which stands at k. k is even.
template <int width, bool half>
static inline void pack_panel(const Side& s, int64_t line, int64_t k, int64_t depth, void* to) {
  for (int j = 0; j < width; j += 16) {
    const int64_t left = s.lines - line - j;
    const int across = width - j < 16 ? width - j : 16;
    const int n = (int)(left < 0 ? 0 : left < across ? left : across);
    for (int64_t i = 0; i < depth; i += 16) {
      const int some = (int)(depth - i < 16 ? depth - i : 16);
      f32v v[16];
      if (n == 0)
        for (int t = 0; t < 16; t++) v[t] = zero();
      else if (s.weight)
        weight_block(s, line + j, n, k + i, some, v);
      else
        strided_block(s, line + j, n, k + i, some, v);
      if constexpr (half) {
        float* out = (float*)to + (i / 2) * width + j;
        for (int t = 0; t < some; t += 2)
          store_part(out + t / 2 * width, from_bits(pair_bf16(v[t], v[t + 1])), across);
      } else {
        float* out = (float*)to + i * width + j;
        for (int t = 0; t < some; t++) store_part(out + t * width, v[t], across);
      }
    }
  }
}

} // namespace lensor::LENSOR_ISA
