// One page of a KV cache against a few rows (a row is one query of one head), and how keys and values stand
// in it (lensor_kv_page). Scores are summed for LENSOR_PAGE keys even where there are fewer; those that a row
// does not see are replaced, and their values are not read. For attention.cc and layers.cc.
#pragma once
#include "../include/lensor_abi.h"
#include "kv_code.h"
#include "vec.h"

namespace lensor::LENSOR_ISA {

#if defined(LENSOR_ISA_AVX512)
constexpr int kRows = 6, kVectors = 4; // a tile of 24 sums, which with what they meet fill the registers
#else
constexpr int kRows = 4, kVectors = 1;
#endif
#define LENSOR_TILE_ROWS(n) _Pragma("GCC unroll 8") for (int n = 0; n < N; n++)
#define LENSOR_TILE_VECTORS(p) _Pragma("GCC unroll 4") for (int p = 0; p < P; p++)

LENSOR_INLINE int64_t padded(int32_t width) { return (width + 15) / 16 * 16; }

// What one row has gathered of a page, or of several: m, l, then o [padded width].
struct Gathered {
  float* memory;
  float& m() const { return memory[0]; }
  float& l() const { return memory[1]; }
  float* o() const { return memory + 16; }
};

struct Page {
  int32_t dtype, room;
  const void *k, *v;
  const float *key_scale, *value_scale; // 8 bit, else null
  const float* bias;                    // of its first key, or null
  int64_t biased;                       // keys that have one, from there on
  const void *next_k, *next_v;          // of the page that is read after it, else its own
};

LENSOR_INLINE float* key_scales(const lensor_kv_page& page, int32_t width) {
  return (float*)((int8_t*)page.keys + (int64_t)page.room * width);
}
LENSOR_INLINE float* value_scales(const lensor_kv_page& page, int32_t width) {
  return (float*)((int8_t*)page.values + page.room * padded(width));
}

template <int KV> LENSOR_INLINE f32v load_kv(const void* p, int64_t at) {
  if constexpr (KV == LENSOR_F16)
    return load_f16((const uint16_t*)p + at);
  else if constexpr (KV == LENSOR_BF16)
    return load_bf16((const uint16_t*)p + at);
  else if constexpr (KV == LENSOR_I8)
    return to_f32(load_i8((const int8_t*)p + at));
  else
    return load((const float*)p + at);
}

// Asks for numbers [at, at + n) of the page that is read next, so that memory works while this page is
// summed. Few rows are done with a page sooner than the next one comes; many find it in the cache.
template <int KV> LENSOR_INLINE void bring(const void* page, int64_t at, int n) {
  constexpr int kSize = KV == LENSOR_F32 ? 4 : KV == LENSOR_I8 ? 1 : 2;
  for (int i = 0; i < n * kSize; i += 64) prefetch((const char*)page + at * kSize + i);
}

// s[n][16 panel ...] = q[n] . k_j for the keys of P panels: over the width in order, one lane a key.
template <int N, int P, int KV> LENSOR_INLINE void
key_sums(const Page& page, int panel, const float* const* q, int32_t width, float (*s)[LENSOR_PAGE]) {
  f32v sum[N][P];
  LENSOR_TILE_ROWS(n) LENSOR_TILE_VECTORS(p) sum[n][p] = zero();
  int64_t at = 16 * panel;
  for (int64_t i = 0; i < width; i++, at += page.room) {
    if constexpr (N < kRows) bring<KV>(page.next_k, at, 16 * P);
    f32v key[P];
    LENSOR_TILE_VECTORS(p) key[p] = load_kv<KV>(page.k, at + 16 * p);
    LENSOR_TILE_ROWS(n) {
      const f32v x = set1(q[n][i]);
      LENSOR_TILE_VECTORS(p) sum[n][p] = fma(key[p], x, sum[n][p]);
    }
  }
  LENSOR_TILE_ROWS(n) LENSOR_TILE_VECTORS(p) store(s[n] + 16 * (panel + p), sum[n][p]);
}

// o[n] = sum_j w[n][j] v_j over the first `keys` keys in order, for 16 P values from `at` on.
template <int N, int P, int KV>
LENSOR_INLINE void value_sums(const void* v, const void* next, int64_t at, int64_t row, int keys,
                              const float (*w)[LENSOR_PAGE], const Gathered* parts) {
  f32v sum[N][P];
  LENSOR_TILE_ROWS(n) LENSOR_TILE_VECTORS(p) sum[n][p] = zero();
  for (int j = 0; j < keys; j++) {
    if constexpr (N < kRows) bring<KV>(next, j * row + at, 16 * P);
    f32v value[P];
    LENSOR_TILE_VECTORS(p) value[p] = load_kv<KV>(v, j * row + at + 16 * p);
    LENSOR_TILE_ROWS(n) {
      const f32v x = set1(w[n][j]);
      LENSOR_TILE_VECTORS(p) sum[n][p] = fma(value[p], x, sum[n][p]);
    }
  }
  LENSOR_TILE_ROWS(n) LENSOR_TILE_VECTORS(p) store(parts[n].o() + at + 16 * p, sum[n][p]);
}

// Sums of one row over its keys become weights; gives m and l.
LENSOR_INLINE void weigh(const Page& page, int seen, float scale, float* s, Gathered part) {
  static const float kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  f32v top = set1(-INFINITY);
  for (int at = 0; at < LENSOR_PAGE; at += 16) {
    f32v x = load(s + at);
    if (page.key_scale) x = mul(x, load(page.key_scale + at));
    x = mul(x, set1(scale));
    if (const int64_t left = page.biased - at; left > 0)
      x = add(x, load_part(page.bias + at, left < 16 ? (int)left : 16, 0));
    x = where_gt(set1((float)(seen - at)), load(kLane), x, set1(-INFINITY));
    store(s + at, x);
    top = vmax(top, x);
  }
  const float m = lane_max(top);
  part.m() = m;
  f32v l = zero();
  for (int at = 0; at < LENSOR_PAGE; at += 16) {
    // A bias may mask every key: then there is nothing to subtract from.
    f32v e = m == -INFINITY ? zero() : vexp(sub(load(s + at), set1(m)));
    l = add(l, e);
    if (page.value_scale) e = mul(e, load(page.value_scale + at));
    store(s + at, e);
  }
  part.l() = lane_sum(l);
}

template <int N, int KV> void tile_of_rows(const Page& page, const float* const* q, const int* seen,
                                           int32_t width, float scale, const Gathered* parts) {
  float s[N][LENSOR_PAGE];
  int most = 0;
  for (int n = 0; n < N; n++) most = seen[n] > most ? seen[n] : most;
  for (int panel = 0; panel < LENSOR_PAGE / 16; panel += kVectors)
    key_sums<N, kVectors, KV>(page, panel, q, width, s);
  for (int n = 0; n < N; n++) weigh(page, seen[n], scale, s[n], parts[n]);
  const int64_t row = padded(width);
  int64_t at = 0;
  for (; at + 16 * kVectors <= row; at += 16 * kVectors)
    value_sums<N, kVectors, KV>(page.v, page.next_v, at, row, most, s, parts);
  for (; at < row; at += 16) value_sums<N, 1, KV>(page.v, page.next_v, at, row, most, s, parts);
}

template <int KV> void rows_of_page(const Page& page, const float* const* q, const int* seen, int count,
                                    int32_t width, float scale, const Gathered* parts) {
  if (count >= kRows) return tile_of_rows<kRows, KV>(page, q, seen, width, scale, parts);
  for (int n = 0; n < count;) {
    const int left = count - n, some = left >= 3 ? 3 : left;
    const auto tile = some == 3 ? tile_of_rows<3, KV> : some == 2 ? tile_of_rows<2, KV> : tile_of_rows<1, KV>;
    tile(page, q + n, seen + n, width, scale, parts + n);
    n += some;
  }
}

// The parts of up to kRows rows; row n sees the first seen[n] keys of the page, none where that is 0.
static inline void page_rows(const Page& page, const float* const* q, const int* seen, int count,
                             int32_t width, float scale, const Gathered* parts) {
  switch (page.dtype) {
  case LENSOR_F16:
    return rows_of_page<LENSOR_F16>(page, q, seen, count, width, scale, parts);
  case LENSOR_BF16:
    return rows_of_page<LENSOR_BF16>(page, q, seen, count, width, scale, parts);
  case LENSOR_I8:
    return rows_of_page<LENSOR_I8>(page, q, seen, count, width, scale, parts);
  default:
    return rows_of_page<LENSOR_F32>(page, q, seen, count, width, scale, parts);
  }
}

LENSOR_INLINE int64_t widened_floats(int32_t width) { return LENSOR_PAGE * (width + padded(width)); }

template <int KV> void widen_all(const void* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i += 16) store(to + i, load_kv<KV>(from, i));
}

// The page's numbers as f32 at `to`, scales still apart: the same sums, without widening for each tile.
static inline void widen(Page* page, int32_t width, float* to) {
  float* values = to + LENSOR_PAGE * (int64_t)width;
  const auto all = page->dtype == LENSOR_F16    ? widen_all<LENSOR_F16>
                   : page->dtype == LENSOR_BF16 ? widen_all<LENSOR_BF16>
                                                : widen_all<LENSOR_I8>;
  all(page->k, page->room * (int64_t)width, to);
  all(page->v, page->room * padded(width), values);
  page->dtype = LENSOR_F32, page->k = page->next_k = to, page->v = page->next_v = values;
}

// A page of which a side, or both, is in a code, as f32 at `to`.
static inline void decode_page(Page* page, const lensor_kv_page& from, int32_t width, float* to) {
  float* values = to + LENSOR_PAGE * (int64_t)width;
  Page plain = *page;
  if (page->dtype != LENSOR_F32 && (!from.key_code || !from.value_code)) {
    const auto all = page->dtype == LENSOR_F16    ? widen_all<LENSOR_F16>
                     : page->dtype == LENSOR_BF16 ? widen_all<LENSOR_BF16>
                                                  : widen_all<LENSOR_I8>;
    if (!from.key_code) all(from.keys, from.room * (int64_t)width, to), plain.k = to;
    if (!from.value_code) all(from.values, from.room * padded(width), values), plain.v = values;
  }
  if (from.key_code) {
    decode_side(*from.key_code, width, from.room, false, from.keys, to);
    plain.k = to, plain.key_scale = nullptr;
  }
  if (from.value_code) {
    decode_side(*from.value_code, width, from.room, true, from.values, values);
    plain.v = values, plain.value_scale = nullptr;
  }
  plain.dtype = LENSOR_F32, plain.next_k = plain.k, plain.next_v = plain.v;
  *page = plain;
}

// Slots [slot, slot + n) of what decode_page has made of a page, as rows of f32. Scales are as they were
// before.
static inline void read_decoded(const Page& page, const float* wide, int32_t width, int slot, int n, float* k,
                                float* v, int64_t stride) {
  const float* values = wide + LENSOR_PAGE * (int64_t)width;
  for (int j = slot; j < slot + n; j++, k += stride, v += stride)
    for (int i = 0; i < width; i++) {
      k[i] = wide[(int64_t)i * page.room + j] * (page.key_scale ? page.key_scale[j] : 1);
      v[i] = values[j * padded(width) + i] * (page.value_scale ? page.value_scale[j] : 1);
    }
}

// The largest magnitude of n values, for a scale.
static inline float largest(const float* x, int n) {
  f32v top = zero();
  for (int i = 0; i < n; i += 16) {
    const f32v v = load_part(x + i, n - i < 16 ? n - i : 16, 0);
    top = vmax(vmax(v, sub(zero(), v)), top);
  }
  return lane_max(top);
}

// 16 values as whole numbers of at most 127 in units of `scale`.
LENSOR_INLINE void round_i8(int8_t* to, f32v x, float scale) {
  const f32v bound = set1(127), q = mul(x, set1(scale > 0 ? 1 / scale : 0));
  store_i8(to, to_i32(vmin(vmax(q, sub(zero(), bound)), bound)));
}

// A key and its value into slot `slot` of a page.
static inline void write_key(int32_t dtype, const float* k, const float* v, int32_t width, int slot,
                             const lensor_kv_page& page) {
  const int64_t room = page.room, value = slot * padded(width);
  void *key_page = page.keys, *value_page = page.values;
  float key_scale = 0, value_scale = 0;
  if (dtype == LENSOR_I8) {
    key_scales(page, width)[slot] = key_scale = largest(k, width) / 127;
    value_scales(page, width)[slot] = value_scale = largest(v, width) / 127;
  }
  for (int i = 0; i < width; i += 16) {
    const int n = width - i < 16 ? width - i : 16;
    const f32v keys = load_part(k + i, n, 0), values = load_part(v + i, n, 0);
    if (dtype == LENSOR_I8) {
      int8_t some[16];
      round_i8(some, keys, key_scale);
      for (int j = 0; j < n; j++) ((int8_t*)key_page)[slot + (i + j) * room] = some[j];
      round_i8((int8_t*)value_page + value + i, values, value_scale);
    } else if (dtype == LENSOR_F32) {
      for (int j = 0; j < n; j++) ((float*)key_page)[slot + (i + j) * room] = k[i + j];
      store((float*)value_page + value + i, values);
    } else {
      uint16_t some[16];
      const auto narrow16 = [dtype](uint16_t* to, f32v x) {
        dtype == LENSOR_F16 ? store_f16(to, x) : store_bf16(to, x);
      };
      narrow16(some, keys);
      for (int j = 0; j < n; j++) ((uint16_t*)key_page)[slot + (i + j) * room] = some[j];
      narrow16((uint16_t*)value_page + value + i, values);
    }
  }
}

// The keys and values in slots [slot, slot + n), n <= 16, as rows of f32.
template <int KV> void read_keys(const lensor_kv_page& page, int32_t width, int slot, int n, float* k,
                                 float* v, int64_t stride) {
  float scale[2][16];
  for (int j = 0; j < n; j++) {
    scale[0][j] = KV == LENSOR_I8 ? key_scales(page, width)[slot + j] : 1;
    scale[1][j] = KV == LENSOR_I8 ? value_scales(page, width)[slot + j] : 1;
  }
  for (int i = 0; i < width; i++) {
    float some[16];
    store(some, load_kv<KV>(page.keys, slot + (int64_t)i * page.room));
    for (int j = 0; j < n; j++) k[j * stride + i] = some[j] * scale[0][j];
  }
  for (int j = 0; j < n; j++)
    for (int i = 0; i < width; i += 16)
      store_part(v + j * stride + i,
                 mul(load_kv<KV>(page.values, (slot + j) * padded(width) + i), set1(scale[1][j])),
                 width - i < 16 ? width - i : 16);
}

} // namespace lensor::LENSOR_ISA
