// Attention over packed sequences without a cache, after FlashAttention-2 (Dao 2023), scores transposed:
//   for blocks of 64 keys, left to right:  s = k q^T [keys, queries],  m' = max(m, max_j s),
//   p = 2^(s - m'),  l = l 2^(m - m') + sum_j p,  o = o 2^(m - m') + v^T p [width, queries];   out = (o /
//   l)^T
// with s in units of log 2. A block of queries shares its keys' blocks; each query has a lane of its own, so
// nothing that happens to it depends on the others.
#include "flash_tile.h"
#include "scratch.h"

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
  const Sequence s = sequence_of(f, n, g);
  const int64_t count = least(kSide, s.keys - at), row = g * c.rows + c.begin(n) + at;
  if (count <= 0) return;
  if (c.k)
    pack_rows(f->dtype, place(f->k, f->dtype, s.k0 + at, g), f->k.row * size_of(f->dtype), count,
              f->head_width, c.k + row * c.k_lanes());
  if (c.v)
    pack_summed(f->dtype, place(f->v, f->dtype, s.k0 + at, g), f->v.row * size_of(f->dtype), count,
                f->head_width, c.v + row / kSummands<T> * c.v_lanes());
}

// Queries down the width, in f32 already times what scores are multiplied by.
template <class T>
void pack_queries(const Forward<T>& c, const Sequence& s, int64_t first, int64_t count, int32_t h, T* q) {
  const lensor_flash* f = c.f;
  pack_columns(f->dtype, place(f->q, f->dtype, s.q0 + first, h), f->q.row * size_of(f->dtype), count,
               f->head_width, q);
  if constexpr (kSummands<T> == 1)
    for (int64_t i = 0; i < c.k_lanes() * kSide; i += 16)
      store(q + i, mul(load(q + i), set1(f->scale * kLog2e)));
}

// What a block of queries has gathered, a lane each.
struct Gathered {
  float *m, *l, *u; // u: sum of p log2(p), where the entropy is wanted
  float* o;         // [padded width][kSide]
};

struct Scores {
  float* s; // [keys][kSide]
  Sight sight;
  const float* bias; // [keys] or null
  float scale;       // by which s is multiplied, log2(e) included; in f32 the queries have been
};

// One of them, for 16 queries, and `plus`; an unseen one is -inf.
template <class T, bool kMasked>
LENSOR_INLINE f32v score(const Scores& b, const Mask& mask, int64_t j, int64_t lane, f32v plus) {
  const f32v s = load(b.s + j * kSide + lane);
  const f32v x = kSummands<T> == 1 ? add(s, plus) : fma(s, set1(b.scale), plus);
  return kMasked ? add(x, mask.at(b.sight.s, b.sight.key + j, b.sight.query + lane)) : x;
}

// Scores to weights, for 16 queries and keys [from, to): p replaces s, in f32, or in pairs down the keys.
template <class T, bool kMasked, bool kBiased> void soften(const Scores& b, const Mask& mask, int64_t from,
                                                           int64_t to, int64_t lane, int64_t width,
                                                           const Gathered& g, T* p) {
  const auto bias = [&](int64_t j) __attribute__((always_inline)) {
    return kBiased ? set1(b.bias[j] * kLog2e) : zero();
  };
  // The largest of what `at` gives.
  const auto largest = [&](const auto& at) __attribute__((always_inline)) {
    f32v top = set1(-INFINITY), other = top;
    for (int64_t j = from; j < to; j += 2) {
      top = vmax(top, at(j));
      if (j + 1 < to) other = vmax(other, at(j + 1));
    }
    return vmax(top, other);
  };
  const f32v before = load(g.m + lane);
  f32v top;
  if (!kMasked && !kBiased && b.scale > 0) {
    // Rounding keeps the order: one product does for all.
    top = largest([&](int64_t j) __attribute__((always_inline)) { return load(b.s + j * kSide + lane); });
    if (kSummands<T> == 2) top = mul(top, set1(b.scale));
  } else
    top = largest([&](int64_t j) __attribute__((always_inline)) {
      return score<T, kMasked>(b, mask, j, lane, bias(j));
    });
  top = vmax(before, top);
  // Where nothing has been seen there is nothing to subtract.
  const f32v minus = where_gt(top, set1(-INFINITY), sub(zero(), top), zero());
  f32v l = zero(), u = zero();
  const auto weight = [&](int64_t j) __attribute__((always_inline)) {
    const f32v x = least_exponent(score<T, kMasked>(b, mask, j, lane, kBiased ? add(minus, bias(j)) : minus));
    const f32v e = exp2_of<T>(x);
    l = add(l, e);
    if (g.u) u = fma(e, x, u);
    return e;
  };
  for (int64_t j = from; j < to; j += 2) {
    const f32v a = weight(j), c = j + 1 < to ? weight(j + 1) : zero();
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
template <class T> void soften(const Scores& b, const Mask& mask, int64_t width, const Gathered& g, T* p) {
  const auto by = b.sight.whole ? b.bias ? soften<T, false, true> : soften<T, false, false>
                  : b.bias      ? soften<T, true, true>
                                : soften<T, true, false>;
  for (int64_t lane = 0; lane < b.sight.lanes(); lane += 16)
    b.sight.down(lane, [&](int64_t from, int64_t to) { by(b, mask, from, to, lane, width, g, p); });
}

template <class T> void attend(const Forward<T>& c, int64_t block, int32_t h, int32_t thread) {
  const lensor_flash* f = c.f;
  const int64_t width = f->head_width, size = size_of(f->dtype);
  const int64_t n = c.queries.sequence(block), first = (block - c.queries.first[n]) * kSide;
  const int32_t group = group_of(f, h);
  const Sequence s = sequence_of(f, n, group);
  const int64_t count = least(kSide, s.queries - first);

  T* q = c.scratch + thread * c.scratch_size;
  float* scores = (float*)(q + c.k_lanes() * kSide);
  T* p = kSummands<T> == 1 ? (T*)scores : (T*)(scores + kSide * kSide);
  float* stats = scores + 2 * kSide * kSide;
  const Gathered g{stats, stats + kSide, f->entropy ? stats + 2 * kSide : nullptr, stats + 3 * kSide};
  pack_queries(c, s, first, count, h, q);
  for (int64_t i = 0; i < kSide; i++) g.m[i] = -INFINITY;
  memset(g.m + kSide, 0, (size_t)(2 + padded(width)) * kSide * sizeof(float));

  const int64_t end = s.high(first + count - 1);
  for (int64_t at = s.low(first) / kSide * kSide; at < end; at += kSide) {
    const Sight sight = Sight::of(s, at, least(kSide, s.keys - at), first, count);
    const int64_t row = group * c.rows + c.begin(n) + at;
    const char* k = c.k ? (const char*)(c.k + row * c.k_lanes()) : place(f->k, f->dtype, s.k0 + at, group);
    const char* v = c.v         ? (const char*)(c.v + row / kSummands<T> * c.v_lanes())
                    : f->v.data ? place(f->v, f->dtype, s.k0 + at, group)
                                : nullptr;
    const int64_t k_row = c.k ? c.k_lanes() * 4 : f->k.row * size,
                  v_row = c.v ? c.v_lanes() * 4 : f->v.row * size;
    sight.parts([&](int64_t from, int64_t to, int64_t lane, int64_t lane_end) {
      multiply<T>(to - from, lane_end - lane, steps<T>(width), k + from * k_row, k_row, 4, q + lane, kSide,
                  scores + from * kSide + lane, kSide, true);
    });
    const float* bias = f->key_bias ? f->key_bias + group * f->k_offsets[f->sequences] + s.k0 + at : nullptr;
    soften(Scores{scores, sight, bias, f->scale * kLog2e}, c.mask, f->v.data ? width : 0, g, p);
    if (!f->v.data) continue;
    sight.parts([&](int64_t from, int64_t to, int64_t lane, int64_t lane_end) {
      const int64_t step = from / kSummands<T>;
      multiply<T>(width, lane_end - lane, steps<T>(to - from), v + step * v_row, 4, v_row,
                  p + step * kSide + lane, kSide, g.o + lane, kSide, false);
    });
  }

  const int64_t total = f->q_offsets[f->sequences];
  float inverse[kSide] = {};
  for (int64_t i = 0; i < count; i++) {
    const bool some = g.l[i] > 0 || g.l[i] != g.l[i];
    const float log_l = some ? logf(g.l[i]) : -INFINITY;
    inverse[i] = some ? 1 / g.l[i] : 0;
    const int64_t where = h * total + s.q0 + first + i;
    if (c.log_sum_exp) c.log_sum_exp[where] = some ? fmaf(g.m[i], kLn2, log_l) : -INFINITY;
    if (f->entropy) f->entropy[where] = some ? log_l - kLn2 * g.u[i] * inverse[i] : 0;
  }
  if (!f->v.data) return;
  for (int64_t lane = 0; lane < count; lane += 16)
    for (int64_t i = 0; i < width; i += 16) {
      f32v some[16];
      for (int j = 0; j < 16; j++) some[j] = mul(load(g.o + (i + j) * kSide + lane), load(inverse + lane));
      transpose(some);
      for (int64_t j = 0; j < 16 && lane + j < count; j++)
        put_sixteen(f->dtype, some[j], width - i,
                    (char*)place(f->out, f->dtype, s.q0 + first + lane + j, h) + i * size);
    }
}

// mass[h, j] = sum_i 2^(s_ij - lse_i), or the largest of them: the queries of a lane in order, then the
// lanes.
template <class T> void weigh(const Forward<T>& c, int64_t block, int32_t h, int32_t thread) {
  const lensor_flash* f = c.f;
  const int64_t width = f->head_width, size = size_of(f->dtype), total = f->q_offsets[f->sequences],
                total_keys = f->k_offsets[f->sequences];
  const int64_t n = c.keys.sequence(block), at = (block - c.keys.first[n]) * kSide;
  const int32_t group = group_of(f, h);
  const Sequence s = sequence_of(f, n, group);
  const int64_t keys = most(0, least(kSide, s.keys - at));
  const char* k = c.k ? (const char*)(c.k + (group * c.rows + c.begin(n) + at) * c.k_lanes())
                      : place(f->k, f->dtype, s.k0 + at, group);
  T* q = c.scratch + thread * c.scratch_size;
  float* scores = (float*)(q + c.k_lanes() * kSide);
  float* sums = scores + kSide * kSide; // [keys][16]
  memset(sums, 0, kSide * 16 * sizeof(float));
  for (int64_t first = 0; first < s.queries; first += kSide) {
    const int64_t count = least(kSide, s.queries - first);
    if (!s.touches(first, first + count, at, at + keys)) continue;
    const Scores b{scores, Sight::of(s, at, keys, first, count), nullptr, f->scale * kLog2e};
    pack_queries(c, s, first, count, h, q);
    multiply<T>(keys, b.sight.lanes(), steps<T>(width), k, c.k ? c.k_lanes() * 4 : f->k.row * size, 4, q,
                kSide, scores, kSide, true);
    for (int64_t lane = 0; lane < b.sight.lanes(); lane += 16) {
      float minus[16];
      for (int64_t i = 0; i < 16; i++) {
        const float lse = lane + i < count ? c.log_sum_exp[h * total + s.q0 + first + lane + i] : INFINITY;
        minus[i] = lse == -INFINITY ? -INFINITY : -lse * kLog2e;
      }
      for (int64_t j = 0; j < keys; j++) {
        const float bias = f->key_bias ? f->key_bias[group * total_keys + s.k0 + at + j] * kLog2e : 0;
        const f32v x = score<T, true>(b, c.mask, j, lane, add(load(minus), set1(bias)));
        const f32v weight = exp2_of<T>(least_exponent(x)), so_far = load(sums + j * 16);
        store(sums + j * 16, f->mass_largest ? vmax(so_far, weight) : add(so_far, weight));
      }
    }
  }
  float* mass = f->mass + h * total_keys + s.k0 + at;
  const int64_t room = least(kSide, f->k_offsets[n + 1] - s.k0 - at);
  for (int64_t j = 0; j < room; j++) {
    const f32v lanes = load(sums + j * 16);
    mass[j] = f->mass_largest ? lane_max(lanes) : lane_sum(lanes);
  }
}

template <class T> lensor_status run(lensor_context* context, const lensor_flash* f) {
  Forward<T> c{};
  c.f = f;
  c.mask = Mask();
  c.rows = (f->k_offsets[f->sequences] + f->sequences + 3) / 2 * 2;
  c.scratch_size = (c.k_lanes() + padded(f->head_width) + 2 * kSide + 3) * kSide;
  Scratch room(context);
  int64_t* firsts = room.take<int64_t>(2 * (f->sequences + 1));
  c.scratch = room.take<T>(context->threads * c.scratch_size);
  if (!k_serves<T>(f)) c.k = room.take<T>(f->kv_heads * c.rows * c.k_lanes());
  if (f->v.data && !v_serves<T>(f)) c.v = room.take<T>(f->kv_heads * c.rows / kSummands<T> * c.v_lanes());
  c.log_sum_exp =
      f->mass && !f->log_sum_exp ? room.take<float>(f->heads * f->q_offsets[f->sequences]) : f->log_sum_exp;
  if (room.failed()) return LENSOR_OUT_OF_MEMORY;
  c.queries.count_in(firsts, f->q_offsets, f->sequences, kSide);
  c.keys.count_in(firsts + f->sequences + 1, f->k_offsets, f->sequences, kSide);

  lensor_status status = LENSOR_OK;
  if (c.k || c.v)
    status = in_chunks(context, c.keys.count() * f->kv_heads, 4, [&](int64_t from, int64_t to, int32_t) {
      for (int64_t i = from; i < to; i++) pack_keys(c, i / f->kv_heads, (int32_t)(i % f->kv_heads));
    });
  // A sequence's last queries see the most: they go first, so that no thread is left with them alone.
  const int64_t all = c.queries.count() * f->heads;
  if (status == LENSOR_OK)
    status = in_chunks(context, all, 1, [&](int64_t from, int64_t to, int32_t thread) {
      for (int64_t i = all - from; i-- > all - to;) attend(c, i / f->heads, (int32_t)(i % f->heads), thread);
    });
  if (status == LENSOR_OK && f->mass)
    status = in_chunks(context, c.keys.count() * f->heads, 1, [&](int64_t from, int64_t to, int32_t thread) {
      for (int64_t i = from; i < to; i++) weigh(c, i / f->heads, (int32_t)(i % f->heads), thread);
    });
  return status;
}

} // namespace

lensor_status flash(lensor_context* context, const lensor_flash* f) {
  return f->compute == LENSOR_BF16 ? run<Pair>(context, f) : run<float>(context, f);
}

} // namespace lensor::LENSOR_ISA
