// The sides of a matrix product as the tile reads them: panels of `width` lines (rows of a, columns of w),
// [entries][width], an entry being a value along K in f32 or a pair of them in bf16. Lines, and a last value
// of a pair, that do not exist are zeros. A side is a strided view, or a packed weight that is dequantized on
// the way; each layout that comes up in training is read in whole vectors, any other value by value.
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

// Entries [first, end) along K of up to sixteen of a panel's lines; entry `first` stands at `to`.
struct Stretch {
  int64_t first, end;
  float* to;
};

LENSOR_INLINE f32v sixteen_at(int32_t dtype, const char* p) {
  if (dtype == LENSOR_F32) return load((const float*)p);
  return dtype == LENSOR_F16 ? load_f16((const uint16_t*)p) : load_bf16((const uint16_t*)p);
}

// The first n of sixteen, the rest zeros.
LENSOR_INLINE f32v some_at(int32_t dtype, const char* p, int n) {
  if (n == 16) return sixteen_at(dtype, p);
  char part[64] = {};
  memcpy(part, p, (size_t)(n * size_of(dtype)));
  return sixteen_at(dtype, part);
}

// Sixteen entries of one line whose values lie side by side at p.
template <bool half> LENSOR_INLINE f32v along(int32_t dtype, const char* p) {
  if constexpr (!half) return sixteen_at(dtype, p);
  if (dtype == LENSOR_BF16) return from_bits(loadi(p));
  return from_bits(narrow(sixteen_at(dtype, p), sixteen_at(dtype, p + 16 * size_of(dtype))));
}

// Sixteen lanes to entry e; they reach over the entries after it where those are written later.
template <int width> LENSOR_INLINE void put_entry(const Stretch& s, int64_t e, f32v v) {
  constexpr int64_t reach = (16 + width - 1) / width;
  float* to = s.to + (e - s.first) * width;
  if (width >= 16 || s.end - e >= reach) return store(to, v);
  store_part(to, v, width < 16 ? width : 16);
}

// Lines [line, line + n) of entries [e, e + 16) in v, a vector for each line: turned and put.
template <int width> LENSOR_INLINE void put_lines(const Stretch& s, int64_t e, f32v* v) {
  transpose(v);
  for (int i = 0; i < 16; i++) put_entry<width>(s, e + i, v[i]);
}

// Values by themselves, in any layout: n lines of some entries from e on, n <= width, some <= 16.
template <int width, bool half>
static void pack_scattered(const Side& side, int64_t line, int n, const Stretch& s, int64_t e, int some) {
  constexpr int values = half ? 32 : 16;
  float block[16][values] = {};
  const int64_t k = half ? 2 * e : e, size = size_of(side.dtype);
  const int64_t depth = least(half ? 2 * some : some, side.depth - k);
  for (int j = 0; j < n; j++) {
    const char* p = side.data + ((line + j) * side.ls + k * side.ks) * size;
    for (int64_t i = 0; i < depth; i++, p += side.ks * size) {
      float wide;
      block[j][i] = *as_f32(side.dtype, p, 1, &wide);
    }
  }
  f32v v[16];
  for (int j = 0; j < 16; j++) v[j] = along<half>(LENSOR_F32, (const char*)block[j]);
  transpose(v);
  for (int i = 0; i < some; i++) put_entry<width>(s, e + i, v[i]);
}

// Lines with their values side by side: x, or w of a linear layer.
template <int width, bool half>
static void pack_long_lines(const Side& side, int64_t line, int n, const Stretch& s) {
  const int64_t size = size_of(side.dtype), whole = (half ? side.depth / 2 : side.depth);
  const char* p = side.data + line * side.ls * size;
  int64_t e = s.first;
  for (; e + 16 <= least(s.end, whole); e += 16) {
    const char* at = p + (half ? 2 * e : e) * size;
    f32v v[16];
    for (int j = 0; j < 16; j++) {
      v[j] = j < n ? along<half>(side.dtype, at + j * side.ls * size) : zero();
      if (j < n) prefetch(at + j * side.ls * size + 512);
    }
    put_lines<width>(s, e, v);
  }
  for (; e < s.end; e += 16) pack_scattered<width, half>(side, line, n, s, e, (int)least(16, s.end - e));
}

constexpr int64_t kAhead = 16; // values along K

// Lines that lie side by side: one entry of n of them.
template <bool half> LENSOR_INLINE f32v across(const Side& side, int64_t line, int n, int64_t e) {
  const int64_t size = size_of(side.dtype), k = half ? 2 * e : e;
  const char* p = side.data + (line + k * side.ks) * size;
  // Lines of memory this short are over before the hardware sees a pattern.
  prefetch(p + kAhead * side.ks * size);
  if constexpr (!half) return some_at(side.dtype, p, n);
  prefetch(p + (kAhead + 1) * side.ks * size);
  const bool two = k + 1 < side.depth;
  const char* q = p + (two ? side.ks * size : 0);
  if (side.dtype == LENSOR_BF16 && two && n == 16) return from_bits(interleave(join(p, q)));
  return from_bits(interleave(narrow(some_at(side.dtype, p, n), two ? some_at(side.dtype, q, n) : zero())));
}

// A packed weight: 16 rows side by side in each column.
template <bool half> LENSOR_INLINE f32v columns_entry(const float* values, int64_t i) {
  if constexpr (!half) return load(values + i * 16);
  return from_bits(interleave(narrow(load(values + 2 * i * 16), load(values + (2 * i + 1) * 16))));
}

// Rows of a weight as lines: [line, line + 16), a multiple of 16. Blocks of K are whole.
template <int width, bool half> static void pack_rows(const Side& side, int64_t line, const Stretch& s) {
  const lensor_weight* w = side.weight;
  const uint8_t* panel = (const uint8_t*)w->data + line / LENSOR_PANEL * panel_bytes(w->dtype, w->cols);
  constexpr int64_t step = half ? LENSOR_BLOCK / 2 : LENSOR_BLOCK;
  float values[LENSOR_BLOCK * LENSOR_PANEL];
  for (int64_t e = s.first; e < s.end; e += step) {
    const int64_t k = half ? 2 * e : e, n = least(LENSOR_BLOCK, w->cols - k);
    unpack(w->dtype, panel, k, (int)n, values);
    if (n < LENSOR_BLOCK) memset(values + n * LENSOR_PANEL, 0, LENSOR_PANEL * sizeof(float)); // half a pair
    for (int64_t i = 0; i < least(step, s.end - e); i++)
      store(s.to + (e - s.first + i) * width, columns_entry<half>(values, i));
  }
}

// Columns of a weight as lines, its rows along K.
template <int width, bool half>
static void pack_columns(const Side& side, int64_t line, int n, const Stretch& s) {
  const lensor_weight* w = side.weight;
  const int64_t size = panel_bytes(w->dtype, w->cols), panels = (w->rows + LENSOR_PANEL - 1) / LENSOR_PANEL;
  // Blocks of columns begin at multiples of 32: what is before the wanted ones is unpacked too.
  const int64_t first = block_cols(w->dtype) > 1 ? line / LENSOR_BLOCK * LENSOR_BLOCK : line;
  const int count = (int)least(LENSOR_BLOCK, w->cols - first);
  float values[half ? 2 : 1][LENSOR_BLOCK * LENSOR_PANEL];
  for (int64_t e = s.first; e < s.end; e += 16) {
    const int64_t panel = (half ? 2 * e : e) / LENSOR_PANEL;
    for (int h = 0; h < (half ? 2 : 1); h++)
      if (panel + h < panels)
        unpack(w->dtype, (const uint8_t*)w->data + (panel + h) * size, first, count, values[h]);
      else
        memset(values[h], 0, sizeof values[h]);
    f32v v[16];
    for (int j = 0; j < 16; j++) {
      const float *a = values[0] + (line - first + j) * LENSOR_PANEL,
                  *b = values[half ? 1 : 0] + (line - first + j) * LENSOR_PANEL;
      v[j] = j >= n ? zero() : half ? from_bits(narrow(load(a), load(b))) : load(a);
    }
    transpose(v); // rows past the last are zeros in the panel
    for (int64_t i = 0; i < least(16, s.end - e); i++) store(s.to + (e - s.first + i) * width, v[i]);
  }
}

// Lines [line, line + count) to panels one after another at `to`, each [end - first][width].
template <int width, bool half> static void pack_panels(const Side& side, int64_t line, int64_t count,
                                                        int64_t first, int64_t end, float* to) {
  constexpr int lanes = width < 16 ? width : 16;
  const auto stretch = [&](int64_t j) {
    return Stretch{first, end, to + j / width * (end - first) * width + j % width};
  };
  if (!side.weight && side.ls == 1) {
    // Entry by entry over all panels: memory is read in order.
    for (int64_t e = first; e < end; e++)
      for (int64_t j = 0; j < count; j += lanes)
        put_entry<width>(stretch(j), e,
                         across<half>(side, line + j, (int)least(16, side.lines - line - j), e));
    return;
  }
  for (int64_t j = 0; j < count; j += lanes) {
    const int n = (int)least(lanes, count - j);
    const Stretch s = stretch(j);
    if (side.weight && side.flipped)
      pack_columns<width, half>(side, line + j, n, s);
    else if (side.weight)
      pack_rows<width, half>(side, line + j, s);
    else if (side.ks == 1)
      pack_long_lines<width, half>(side, line + j, n, s);
    else
      for (int64_t e = first; e < end; e += 16)
        pack_scattered<width, half>(side, line + j, n, s, e, (int)least(16, end - e));
  }
}

} // namespace lensor::LENSOR_ISA
