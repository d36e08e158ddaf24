// Attention over packed sequences without a cache, after FlashAttention-2 (Dao 2023), scores transposed:
//   for blocks of 64 keys, left to right:  s = k q^T [keys, queries],  m' = max(m, max_j s),
//   p = 2^(s - m'),  l = l 2^(m - m') + sum_j p,  o = o 2^(m - m') + v^T p [width, queries];   out = (o /
//   l)^T
// with s in units of log 2. A block of queries shares its keys' blocks; each query has a lane of its own, so
// nothing that happens to it depends on the others.
#include "flash_tile.h"

namespace lensor::LENSOR_ISA {

namespace {

template <class T> struct Forward {
  const lensor_flash* f;
  Blocks queries, keys;
  T *k, *v; // packed [kv_heads][rows][lanes], or null where the caller's own memory serves
  int64_t rows;
  T* scratch; // for each thread
  int64_t scratch_size;
  float* log_sum_exp;
  Mask mask;

  int64_t k_lanes() const { return row_lanes<T>(f->head_width); }
  int64_t v_lanes() const { return padded(f->head_width); }
  // Where sequence n's packed keys begin: its first one is the first of a pair.
  int64_t begin(int64_t n) const { return (f->k_offsets[n] + n + 1) / 2 * 2; }
};

template <class T> bool k_serves(const lensor_flash* f) {
  return kSummands<T> == 1 ? f->dtype == LENSOR_F32 : f->dtype == LENSOR_BF16 && f->head_width % 2 == 0;
}
template <class T> bool v_serves(const lensor_flash* f) {
  return kSummands<T> == 1 && f->dtype == LENSOR_F32;
}

template <class T> void pack_keys(const Forward<T>& c, int64_t block, int32_t g) {
  const lensor_flash* f = c.f;
  const int64_t n = c.keys.sequence(block), at = (block - c.keys.first[n]) * kSide;
  const Sequence s = sequence_of(f, n);
  const int64_t count = least(kSide, s.keys - at), row = g * c.rows + c.begin(n) + at;
  if (c.k)
    pack_rows(f->dtype, place(f->k, f->dtype, s.k0 + at, g), f->k.row * size_of(f->dtype), count,
              f->head_width, c.k + row * c.k_lanes());
  if (c.v)
    pack_summed(f->dtype, place(f->v, f->dtype, s.k0 + at, g), f->v.row * size_of(f->dtype), count,
                f->head_width, c.v + row / kSummands<T> * c.v_lanes());
}

// What a block of queries has gathered, a lane each.
struct Gathered {
  float *m, *l, *u; // u: sum of p log2(p), where the entropy is wanted
  float* o;         // [padded width][kSide]
};

struct Scores {
  float* s; // [keys][kSide]
  int64_t count, first_key, first_query;
  const float* bias; // [keys] or null
  float scale;       // by which s is multiplied, log2(e) included
  bool masked;
};

LENSOR_INLINE f32v score(const Scores& b, const Sequence& s, const Mask& mask, int64_t j, int64_t lane,
                         f32v plus) {
  const f32v x = fma(load(b.s + j * kSide + lane), set1(b.scale), plus);
  return b.masked ? add(x, mask.at(s, b.first_key + j, b.first_query + lane)) : x;
}

// Scores to weights, for 16 queries: p replaces s, in f32, or in pairs down the keys.
template <class T> void soften(const Scores& b, const Sequence& s, const Mask& mask, int64_t lane,
                               int64_t width, const Gathered& g, T* p) {
  const f32v before = load(g.m + lane);
  f32v top = before, other = before;
  float bias[kSide + 1] = {};
  if (b.bias)
    for (int64_t j = 0; j < b.count; j++) bias[j] = b.bias[j] * kLog2e;
  for (int64_t j = 0; j < b.count; j += 2) {
    top = vmax(top, score(b, s, mask, j, lane, set1(bias[j])));
    if (j + 1 < b.count) other = vmax(other, score(b, s, mask, j + 1, lane, set1(bias[j + 1])));
  }
  top = vmax(top, other);
  // Where nothing has been seen there is nothing to subtract.
  const f32v minus = where_gt(top, set1(-INFINITY), sub(zero(), top), zero());
  f32v l = zero(), u = zero();
  const auto weight = [&](int64_t j) __attribute__((always_inline)) {
    const f32v x = least_exponent(score(b, s, mask, j, lane, add(minus, set1(bias[j]))));
    const f32v e = exp2_of<T>(x);
    l = add(l, e);
    if (g.u) u = fma(e, x, u);
    return e;
  };
  for (int64_t j = 0; j < b.count; j += 2) {
    const f32v a = weight(j), c = j + 1 < b.count ? weight(j + 1) : zero();
    if constexpr (kSummands<T> == 1) {
      store(p + j * kSide + lane, a);
      store(p + (j + 1) * kSide + lane, c);
    } else
      storei(p + j / 2 * kSide + lane, interleave(narrow(a, c)));
  }
  const f32v lag = least_exponent(add(before, minus)), shrink = exp2_of<T>(lag);
  const f32v had = load(g.l + lane);
  store(g.m + lane, top);
  store(g.l + lane, fma(had, shrink, l));
  if (g.u) store(g.u + lane, fma(shrink, fma(had, lag, load(g.u + lane)), u));
  // Not by their difference: a lane that has seen nothing yet would make it NaN, which hides the others.
  if (lane_max(where_gt(top, before, set1(1.0f), zero())) > 0)
    for (int64_t i = 0; i < width; i++)
      store(g.o + i * kSide + lane, mul(load(g.o + i * kSide + lane), shrink));
}

template <class T> void attend(const Forward<T>& c, int64_t block, int32_t h, int32_t thread) {
  const lensor_flash* f = c.f;
  const int64_t width = f->head_width, size = size_of(f->dtype);
  const int64_t n = c.queries.sequence(block), first = (block - c.queries.first[n]) * kSide;
  const Sequence s = sequence_of(f, n);
  const int64_t count = least(kSide, s.queries - first), across = padded(count);
  const int32_t group = (int32_t)((int64_t)h * f->kv_heads / f->heads);

  T* q = c.scratch + thread * c.scratch_size;
  float* scores = (float*)(q + c.k_lanes() * kSide);
  T* p = kSummands<T> == 1 ? (T*)scores : (T*)(scores + kSide * kSide);
  float* stats = scores + 2 * kSide * kSide;
  const Gathered g{stats, stats + kSide, f->entropy ? stats + 2 * kSide : nullptr, stats + 3 * kSide};
  pack_columns(f->dtype, place(f->q, f->dtype, s.q0 + first, h), f->q.row * size, count, width, q);
  for (int64_t i = 0; i < kSide; i++) g.m[i] = -INFINITY;
  memset(g.m + kSide, 0, (size_t)(2 + padded(width)) * kSide * sizeof(float));

  const int64_t end = s.high(first + count - 1);
  for (int64_t at = s.low(first) / kSide * kSide; at < end; at += kSide) {
    const int64_t keys = least(kSide, s.keys - at), row = group * c.rows + c.begin(n) + at;
    const char* k = c.k ? (const char*)(c.k + row * c.k_lanes()) : place(f->k, f->dtype, s.k0 + at, group);
    const char* v =
        c.v ? (const char*)(c.v + row / kSummands<T> * c.v_lanes()) : place(f->v, f->dtype, s.k0 + at, group);
    multiply<T>(keys, across, steps<T>(width), k, c.k ? c.k_lanes() * 4 : f->k.row * size, 4, q, kSide,
                scores, kSide, true);
    const Scores b{scores,
                   keys,
                   at,
                   first,
                   f->key_bias ? f->key_bias + group * f->k_offsets[f->sequences] + s.k0 + at : nullptr,
                   f->scale * kLog2e,
                   !s.covers(first, first + count, at, at + keys)};
    for (int64_t lane = 0; lane < across; lane += 16) soften(b, s, c.mask, lane, width, g, p);
    multiply<T>(width, across, steps<T>(keys), v, 4, c.v ? c.v_lanes() * 4 : f->v.row * size, p, kSide, g.o,
                kSide, false);
  }

  const int64_t total = f->q_offsets[f->sequences];
  float inverse[kSide];
  for (int64_t i = 0; i < count; i++) {
    const bool some = g.l[i] > 0 || g.l[i] != g.l[i];
    const float log_l = some ? logf(g.l[i]) : -INFINITY;
    inverse[i] = some ? 1 / g.l[i] : 0;
    const int64_t where = h * total + s.q0 + first + i;
    if (c.log_sum_exp) c.log_sum_exp[where] = some ? fmaf(g.m[i], kLn2, log_l) : -INFINITY;
    if (f->entropy) f->entropy[where] = some ? log_l - kLn2 * g.u[i] * inverse[i] : 0;
  }
  for (int64_t lane = 0; lane < count; lane += 16)
    for (int64_t i = 0; i < width; i += 16) {
      f32v some[16];
      for (int j = 0; j < 16; j++) some[j] = load(g.o + (i + j) * kSide + lane);
      transpose(some);
      for (int64_t j = 0; j < 16 && lane + j < count; j++) {
        float row[16];
        store(row, mul(some[j], set1(inverse[lane + j])));
        put_f32(f->dtype, row, least(16, width - i),
                (char*)place(f->out, f->dtype, s.q0 + first + lane + j, h) + i * size);
      }
    }
}

// mass[h, j] = sum_i 2^(s_ij - lse_i): the queries of a lane in order, then the lanes.
template <class T> void weigh(const Forward<T>& c, int64_t block, int32_t h, int32_t thread) {
  const lensor_flash* f = c.f;
  const int64_t width = f->head_width, size = size_of(f->dtype), total = f->q_offsets[f->sequences],
                total_keys = f->k_offsets[f->sequences];
  const int64_t n = c.keys.sequence(block), at = (block - c.keys.first[n]) * kSide;
  const Sequence s = sequence_of(f, n);
  const int64_t keys = least(kSide, s.keys - at);
  const int32_t group = (int32_t)((int64_t)h * f->kv_heads / f->heads);
  const char* k = c.k ? (const char*)(c.k + (group * c.rows + c.begin(n) + at) * c.k_lanes())
                      : place(f->k, f->dtype, s.k0 + at, group);
  T* q = c.scratch + thread * c.scratch_size;
  float* scores = (float*)(q + c.k_lanes() * kSide);
  float* sums = scores + kSide * kSide; // [keys][16]
  memset(sums, 0, kSide * 16 * sizeof(float));
  for (int64_t first = 0; first < s.queries; first += kSide) {
    const int64_t count = least(kSide, s.queries - first), across = padded(count);
    if (!s.touches(first, first + count, at, at + keys)) continue;
    pack_columns(f->dtype, place(f->q, f->dtype, s.q0 + first, h), f->q.row * size, count, width, q);
    multiply<T>(keys, across, steps<T>(width), k, c.k ? c.k_lanes() * 4 : f->k.row * size, 4, q, kSide,
                scores, kSide, true);
    const Scores b{
        scores, keys, at, first, nullptr, f->scale * kLog2e, !s.covers(first, first + count, at, at + keys)};
    for (int64_t lane = 0; lane < across; lane += 16) {
      float minus[16];
      for (int64_t i = 0; i < 16; i++) {
        const float lse = lane + i < count ? c.log_sum_exp[h * total + s.q0 + first + lane + i] : INFINITY;
        minus[i] = lse == -INFINITY ? -INFINITY : -lse * kLog2e;
      }
      for (int64_t j = 0; j < keys; j++) {
        const float bias = f->key_bias ? f->key_bias[group * total_keys + s.k0 + at + j] * kLog2e : 0;
        const f32v x = score(b, s, c.mask, j, lane, add(load(minus), set1(bias)));
        store(sums + j * 16, add(load(sums + j * 16), exp2_of<T>(least_exponent(x))));
      }
    }
  }
  for (int64_t j = 0; j < keys; j++) f->mass[h * total_keys + s.k0 + at + j] = lane_sum(load(sums + j * 16));
}

template <class T> lensor_status run(lensor_context* context, const lensor_flash* f) {
  Forward<T> c{};
  c.f = f;
  c.mask = Mask();
  c.rows = (f->k_offsets[f->sequences] + f->sequences + 3) / 2 * 2;
  c.scratch_size = (c.k_lanes() + padded(f->head_width) + 2 * kSide + 3) * kSide;
  bool taken = c.queries.take(f->q_offsets, f->sequences, kSide);
  taken &= c.keys.take(f->k_offsets, f->sequences, kSide);
  taken &= (c.scratch = take<T>(context->threads * c.scratch_size)) != nullptr;
  if (!k_serves<T>(f)) taken &= (c.k = take<T>(f->kv_heads * c.rows * c.k_lanes())) != nullptr;
  if (!v_serves<T>(f)) taken &= (c.v = take<T>(f->kv_heads * c.rows / kSummands<T> * c.v_lanes())) != nullptr;
  float* own = nullptr;
  if (f->mass && !f->log_sum_exp)
    taken &= (own = take<float>(f->heads * f->q_offsets[f->sequences])) != nullptr;
  c.log_sum_exp = own ? own : f->log_sum_exp;
  lensor_status status = taken ? LENSOR_OK : LENSOR_OUT_OF_MEMORY;
  if (status == LENSOR_OK && (c.k || c.v))
    status = in_chunks(context, c.keys.count() * f->kv_heads, 4, [&](int64_t from, int64_t to, int32_t) {
      for (int64_t i = from; i < to; i++) pack_keys(c, i / f->kv_heads, (int32_t)(i % f->kv_heads));
    });
  // A sequence's last queries see the most: they go first, so that no thread is left with them alone.
  const int64_t all = c.queries.first ? c.queries.count() * f->heads : 0;
  if (status == LENSOR_OK)
    status = in_chunks(context, all, 1, [&](int64_t from, int64_t to, int32_t thread) {
      for (int64_t i = all - from; i-- > all - to;) attend(c, i / f->heads, (int32_t)(i % f->heads), thread);
    });
  if (status == LENSOR_OK && f->mass)
    status = in_chunks(context, c.keys.count() * f->heads, 1, [&](int64_t from, int64_t to, int32_t thread) {
      for (int64_t i = from; i < to; i++) weigh(c, i / f->heads, (int32_t)(i % f->heads), thread);
    });
  free(c.queries.first);
  free(c.keys.first);
  free(c.scratch);
  free(c.k);
  free(c.v);
  free(own);
  return status;
}

} // namespace

lensor_status flash(lensor_context* context, const lensor_flash* f) {
  return f->compute == LENSOR_BF16 ? run<Pair>(context, f) : run<float>(context, f);
}

} // namespace lensor::LENSOR_ISA
