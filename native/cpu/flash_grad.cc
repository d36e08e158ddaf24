// The gradients of flash.cc, a pass over the tiles [64 keys, 64 queries], scores transposed as there:
//   p = 2^(k q^T - lse),  t = p (v do^T - delta),  delta = rowsum(do out),  ds = scale t
//   dv += p do,  dk += ds q,  dq += ds^T k,  dbias_j += sum_i t_ji
// A key's sums run over blocks of queries in order, the heads of its group inside; a query's over blocks of
// keys. Threads take squares of tiles (flash_order.h); how large they are changes no sum.
#include "flash_order.h"
#include "flash_tile.h"
#include "scratch.h"

namespace lensor::LENSOR_ISA {

namespace {

// f32 sums, [heads][rows][lanes] or in the caller's own memory where it has their form.
struct Sums {
  const lensor_heads* to; // null: nobody asks
  float* own;
  int64_t row, head, rows, heads, width;
  int32_t dtype;

  void take_for(Scratch& room, const lensor_heads* m, int32_t type, int64_t m_rows, int64_t m_heads,
                int64_t m_width) {
    to = m->data ? m : nullptr;
    rows = m_rows;
    heads = m_heads;
    width = m_width;
    dtype = type;
    if (!to) return;
    row = m->row;
    head = m->head;
    if (type == LENSOR_F32 && width % 16 == 0) return;
    // A head's rows side by side: a tile of sums lies on few pages.
    row = padded(width);
    head = rows * row;
    own = room.take<float>(heads * head);
  }
  float* at(int64_t r, int64_t h) const { return (own ? own : (float*)to->data) + r * row + h * head; }
  void clear(int64_t r) const {
    for (int64_t h = 0; to && h < heads; h++)
      memset(at(r, h), 0, (size_t)(own ? row : width) * sizeof(float));
  }
  void finish(int64_t r) const {
    for (int64_t h = 0; own && h < heads; h++)
      put_f32(dtype, at(r, h), width, (char*)place(*to, dtype, r, h));
  }
};

template <class T> struct Backward {
  const lensor_flash_grad* d;
  const lensor_flash* f;
  Squares squares;
  int64_t lanes, wide; // row_lanes, padded width
  Sums dq, dk, dv;
  float* delta; // [heads, queries]
  float* bias;  // [kv_heads, keys, 16], or null
  T* scratch;
  int64_t scratch_size;
  Progress progress;
  Mask mask;
};

// An operand of a product, packed or where it is; strides in bytes.
struct Operand {
  const char* data;
  int64_t row;
};
template <class T> struct Summed {
  const T* data;
  int64_t row;
};

template <class T> bool rows_serve(const lensor_flash* f) {
  return kSummands<T> == 1 ? f->dtype == LENSOR_F32 : f->dtype == LENSOR_BF16 && f->head_width % 2 == 0;
}
template <class T> Operand operand(const Backward<T>& c, const lensor_heads& m, int64_t row, int64_t head,
                                   int64_t count, T* to) {
  const int64_t stride = m.row * size_of(c.f->dtype);
  const char* from = place(m, c.f->dtype, row, head);
  if (rows_serve<T>(c.f)) return {from, stride};
  pack_rows(c.f->dtype, from, stride, count, c.f->head_width, to);
  return {(const char*)to, c.lanes * 4};
}
template <class T> Summed<T> summed(const Backward<T>& c, const lensor_heads& m, int64_t row, int64_t head,
                                    int64_t count, T* to) {
  const char* from = place(m, c.f->dtype, row, head);
  if (kSummands<T> == 1 && c.f->dtype == LENSOR_F32 && c.f->head_width % 16 == 0)
    return {(const T*)from, m.row};
  pack_summed(c.f->dtype, from, m.row * size_of(c.f->dtype), count, c.f->head_width, to);
  return {to, c.wide};
}

// Heads of a group whose products with one block of keys are added up at one go.
constexpr int64_t kTogether = 4;
constexpr int64_t kRow = kTogether * kSide; // queries of such heads in a row

// One tile's weights and their gradients for 16 queries, from s and dp [keys, kSide]: p and ds as rows of
// T's values [keys, kRow], and ds in T's lanes, so for bf16 in pairs down the keys (in f32 it is the same and
// stands there alone).
template <class T> struct Tilewise {
  const float *s, *dp;
  T *p, *ds, *ds_down;
  Sight sight;
  const float* bias; // times log2(e), 0 where there is none
  float* sums;       // [keys, 16], or null
  float scale;
};
// For keys [from, to). kPlain: everybody sees everything, and biases are not asked for.
template <class T, bool kPlain> void differentiate(const Tilewise<T>& t, const Mask& mask, int64_t from,
                                                   int64_t to, int64_t lane, f32v minus, f32v delta) {
  const f32v factor = set1(t.scale * kLog2e), scale = set1(t.scale);
  f32v p[2], ds[2];
  for (int64_t j = from; j < to; j += 2) {
#pragma GCC unroll 2
    for (int64_t k = 0; k < 2; k++) {
      if (j + k == to) {
        p[k] = ds[k] = zero();
        continue;
      }
      const int64_t at = (j + k) * kSide + lane;
      f32v x = fma(load(t.s + at), factor, kPlain ? minus : add(minus, set1(t.bias[j + k])));
      if (!kPlain && !t.sight.whole)
        x = add(x, mask.at(t.sight.s, t.sight.key + j + k, t.sight.query + lane));
      p[k] = exp2_of<T>(least_exponent(x));
      const f32v g = mul(p[k], sub(load(t.dp + at), delta));
      if (!kPlain && t.sums) store(t.sums + (j + k) * 16, add(load(t.sums + (j + k) * 16), g));
      ds[k] = mul(g, scale);
      if constexpr (kSummands<T> == 1) {
        store(t.p + (j + k) * kRow + lane, p[k]);
        store(t.ds_down + (j + k) * kRow + lane, ds[k]);
      }
    }
    if constexpr (kSummands<T> == 2) {
      uint16_t *p_to = (uint16_t*)t.p + j * kRow + lane, *ds_to = (uint16_t*)t.ds + j * kRow + lane;
      store_halves(p_to, p_to + kRow, narrow(p[0], p[1]));
      const i32v rounded = narrow(ds[0], ds[1]);
      store_halves(ds_to, ds_to + kRow, rounded);
      storei(t.ds_down + j / 2 * kRow + lane, interleave(rounded));
    }
  }
}

template <class T> int64_t square_room(int64_t side, int64_t lanes, int64_t wide) {
  return side * (2 * lanes + wide + 1 + kRow / kSummands<T>)+2 * kTogether * kSide * (lanes + wide + 1) +
         2 * kSide * kSide + (kSummands<T> == 1 ? 1 : 2) * kSide * kRow / kSummands<T>;
}

template <class T> void square(const Backward<T>& c, const Square& at, int32_t thread) {
  const lensor_flash* f = c.f;
  const int64_t width = f->head_width, size = size_of(f->dtype), depth = steps<T>(width);
  const int64_t total = f->q_offsets[f->sequences], total_keys = f->k_offsets[f->sequences];
  const Sequence s = sequence_of(f, at.n, at.group);
  const int64_t side = c.squares.side;
  const int64_t key0 = at.a * side, key1 = least(s.keys, key0 + side), keys = key1 - key0;
  const int64_t query0 = at.b * side, query1 = least(s.queries, query0 + side);

  T* next = c.scratch + thread * c.scratch_size;
  const auto room = [&](int64_t count) {
    T* here = next;
    next += count;
    return here;
  };
  const Operand k = operand(c, f->k, s.k0 + key0, at.group, keys, room(side * c.lanes));
  const Operand v = operand(c, f->v, s.k0 + key0, at.group, keys, room(side * c.lanes));
  const Summed<T> k_down = summed(c, f->k, s.k0 + key0, at.group, keys, room(side * c.wide));
  float* bias = (float*)room(side);
  for (int64_t j = 0; j < keys; j++)
    bias[j] = f->key_bias ? f->key_bias[at.group * total_keys + s.k0 + key0 + j] * kLog2e : 0;
  T* const ds_down = room(side * kRow / kSummands<T>);
  T *q_across = room(kTogether * kSide * c.lanes), *do_across = room(kTogether * kSide * c.lanes);
  T *q_down = room(kTogether * kSide * c.wide), *do_down = room(kTogether * kSide * c.wide);
  float *minus = (float*)room(kTogether * kSide), *delta = (float*)room(kTogether * kSide);
  float *scores = (float*)room(kSide * kSide), *dp = (float*)room(kSide * kSide);
  T* const p = room(kSide * kRow / kSummands<T>);
  T* const ds = kSummands<T> == 1 ? nullptr : room(kSide * kRow / kSummands<T>);
  constexpr int64_t row_bytes = kRow * 4 / kSummands<T>;
  const bool plain = !f->key_bias && !c.bias;
  const int32_t begin = (int32_t)(((int64_t)at.group * f->heads + f->kv_heads - 1) / f->kv_heads);
  const int32_t end = (int32_t)(((int64_t)(at.group + 1) * f->heads + f->kv_heads - 1) / f->kv_heads);

  // What is done for `heads` heads from h0 on and one block of queries.
  const auto block = [&](int64_t first, int32_t h0, int32_t heads) {
    const int64_t count = least(kSide, query1 - first), across = padded(count), row = s.q0 + first;
    const int64_t part = steps<T>(count); // of a head in what is summed over queries
    for (int32_t n = 0; n < heads; n++) {
      const char *q = place(f->q, f->dtype, row, h0 + n), *out = place(c.d->out, f->dtype, row, h0 + n);
      pack_columns(f->dtype, q, f->q.row * size, count, width, q_across + n * kSide * c.lanes);
      pack_columns(f->dtype, out, c.d->out.row * size, count, width, do_across + n * kSide * c.lanes);
      pack_summed(f->dtype, q, f->q.row * size, count, width, q_down + n * part * c.wide);
      pack_summed(f->dtype, out, c.d->out.row * size, count, width, do_down + n * part * c.wide);
      for (int64_t i = 0; i < across; i++) {
        const int64_t where = (h0 + n) * total + row + i;
        const float lse = i < count ? f->log_sum_exp[where] : -INFINITY;
        minus[n * kSide + i] = lse == -INFINITY ? -INFINITY : -lse * kLog2e;
        delta[n * kSide + i] = i < count ? c.delta[where] : 0;
      }
    }
    for (int64_t key = key0; key < key1; key += kSide) {
      Tilewise<T> t{};
      t.sight = Sight::of(s, key, least(kSide, key1 - key), first, count);
      const Sight& sight = t.sight;
      if (!s.touches(first, first + count, key, key + sight.keys)) continue;
      const int64_t in = key - key0;
      t.s = scores;
      t.dp = dp;
      t.bias = bias + in;
      t.sums = c.bias ? c.bias + (at.group * total_keys + s.k0 + key) * 16 : nullptr;
      t.scale = f->scale;
      T* const down = ds_down + in / kSummands<T> * kRow;
      const auto by = plain && sight.whole ? differentiate<T, true> : differentiate<T, false>;
      for (int32_t n = 0; n < heads; n++) {
        const T *q = q_across + n * kSide * c.lanes, *out = do_across + n * kSide * c.lanes;
        sight.parts([&](int64_t from, int64_t to, int64_t lane, int64_t end) {
          const int64_t j = in + from, where = from * kSide + lane;
          multiply<T>(to - from, end - lane, depth, k.data + j * k.row, k.row, 4, q + lane, kSide,
                      scores + where, kSide, true);
          multiply<T>(to - from, end - lane, depth, v.data + j * v.row, v.row, 4, out + lane, kSide,
                      dp + where, kSide, true);
        });
        // A last vector of queries that is not full runs into the next head's, which comes after it.
        t.p = p + n * part;
        t.ds = ds + n * part;
        t.ds_down = down + (kSummands<T> == 1 ? n * part : n * kSide);
        for (int64_t lane = 0; lane < across; lane += 16)
          sight.down(lane, [&](int64_t from, int64_t to) {
            by(t, c.mask, from, to, lane, load(minus + n * kSide + lane), load(delta + n * kSide + lane));
          });
      }
      // to[keys] += weights[keys, queries] from[queries], for all heads at once where all is seen.
      const auto gather = [&](const Sums& to, const T* weights, const T* from) {
        sight.parts([&](int64_t j, int64_t j_end, int64_t lane, int64_t end) {
          const int64_t step = lane / kSummands<T>, length = steps<T>(least(end, count) - lane);
          for (int32_t n = 0; n < (sight.whole ? 1 : heads); n++)
            multiply<T>(j_end - j, c.wide, sight.whole ? heads * part : length,
                        (const char*)(weights + n * part + step) + j * row_bytes, row_bytes, 4,
                        from + (n * part + step) * c.wide, c.wide, to.at(s.k0 + key + j, at.group), to.row,
                        false);
        });
      };
      if (c.dv.to) gather(c.dv, p, do_down);
      if (c.dk.to) gather(c.dk, kSummands<T> == 1 ? down : ds, q_down);
    }
    if (!c.dq.to) return;
    const Sight sight = Sight::of(s, key0, keys, first, count);
    const int64_t queries = sight.whole ? count : kPart;
    for (int32_t n = 0; n < heads; n++)
      for (int64_t lane = 0; lane < count; lane += queries)
        sight.down(lane, [&](int64_t from, int64_t to) {
          multiply<T>(least(queries, count - lane), c.wide, steps<T>(to - from),
                      ds_down + from / kSummands<T> * kRow + (kSummands<T> == 1 ? n * part : n * kSide) +
                          lane,
                      4, kRow * 4, k_down.data + from / kSummands<T> * k_down.row, k_down.row,
                      c.dq.at(row + lane, h0 + n), c.dq.row, false);
        });
  };
  for (int64_t first = query0; first < query1; first += kSide)
    if (s.touches(first, least(query1, first + kSide), key0, key1))
      for (int32_t h = begin; h < end; h += kTogether) block(first, h, (int32_t)least(kTogether, end - h));
}

// Rows of sums to 0, and delta, in order along the width's lanes.
template <class T> void prepare(const Backward<T>& c, int64_t row) {
  const lensor_flash* f = c.f;
  const int64_t queries = f->q_offsets[f->sequences], size = size_of(f->dtype);
  if (row >= queries) {
    c.dk.clear(row - queries);
    c.dv.clear(row - queries);
    for (int32_t g = 0; c.bias && g < f->kv_heads; g++)
      store(c.bias + (g * f->k_offsets[f->sequences] + row - queries) * 16, zero());
    return;
  }
  c.dq.clear(row);
  for (int32_t h = 0; h < f->heads; h++) {
    const char *out = place(f->out, f->dtype, row, h), *dout = place(c.d->out, f->dtype, row, h);
    f32v sum = zero();
    for (int64_t i = 0; i < f->head_width; i += 16)
      sum = fma(sixteen(f->dtype, out + i * size, f->head_width - i),
                sixteen(f->dtype, dout + i * size, f->head_width - i), sum);
    c.delta[h * queries + row] = lane_sum(sum);
  }
}

template <class T> void finish(const Backward<T>& c, int64_t row) {
  const int64_t queries = c.f->q_offsets[c.f->sequences], keys = c.f->k_offsets[c.f->sequences];
  if (row < queries) return c.dq.finish(row);
  c.dk.finish(row - queries);
  c.dv.finish(row - queries);
  for (int32_t g = 0; c.bias && g < c.f->kv_heads; g++) {
    const int64_t at = g * keys + row - queries;
    c.d->key_bias[at] = lane_sum(load(c.bias + at * 16));
  }
}

// As large as can be while every turn has squares for all threads.
int64_t side_of(const lensor_flash* f, int32_t threads) {
  for (int64_t side = 8 * kSide; side > kSide && threads > 1; side /= 2) {
    const Squares squares{f, side};
    const int64_t turns = squares.turns();
    int64_t all = 0;
    for (int64_t turn = 0; turn < turns; turn++) squares.each(turn, [&](const Square&) { return ++all; });
    if (all >= 2 * threads * turns) return side;
  }
  return threads > 1 ? kSide : 8 * kSide;
}

template <class T> lensor_status run(lensor_context* context, const lensor_flash_grad* d) {
  Backward<T> c{};
  const lensor_flash* f = d->of;
  c.d = d;
  c.f = f;
  c.mask = Mask();
  c.lanes = row_lanes<T>(f->head_width);
  c.wide = padded(f->head_width);
  c.squares = {f, side_of(f, context->threads)};
  const int64_t queries = f->q_offsets[f->sequences], keys = f->k_offsets[f->sequences];
  c.scratch_size = square_room<T>(c.squares.side, c.lanes, c.wide);
  Scratch room(context);
  c.dq.take_for(room, &d->q, f->dtype, queries, f->heads, f->head_width);
  c.dk.take_for(room, &d->k, f->dtype, keys, f->kv_heads, f->head_width);
  c.dv.take_for(room, &d->v, f->dtype, keys, f->kv_heads, f->head_width);
  if (d->key_bias) c.bias = room.take<float>(f->kv_heads * keys * 16);
  c.delta = room.take<float>(f->heads * queries);
  c.scratch = room.take<T>(context->threads * c.scratch_size);
  const int64_t columns = f->kv_heads * Progress::columns(c.squares);
  c.progress.done = room.take<int64_t>(columns);
  if (room.failed()) return LENSOR_OUT_OF_MEMORY;
  memset(c.progress.done, 0, (size_t)columns * sizeof(int64_t));

  lensor_status status = in_chunks(context, queries + keys, kSide, [&](int64_t from, int64_t to, int32_t) {
    for (int64_t row = from; row < to; row++) prepare(c, row);
  });
  if (status != LENSOR_OK) return status;
  Team team{};
  team.context = context;
  team.threads = context->threads;
  struct Job {
    Team* team;
    const Backward<T>* c;
  } job{&team, &c};
  context->together(
      context,
      [](void* arg, int64_t, int64_t, int32_t thread) {
        const Job* job = (const Job*)arg;
        const Backward<T>& c = *job->c;
        in_order(job->team, c.squares, c.progress, [&](const Square& at) { square(c, at, thread); });
      },
      &job);
  if (team.stopped) return LENSOR_INTERRUPTED;
  if (c.dq.own || c.dk.own || c.dv.own || c.bias)
    status = in_chunks(context, queries + keys, kSide, [&](int64_t from, int64_t to, int32_t) {
      for (int64_t row = from; row < to; row++) finish(c, row);
    });
  return status;
}

} // namespace

lensor_status flash_grad(lensor_context* context, const lensor_flash_grad* d) {
  return d->of->compute == LENSOR_BF16 ? run<Pair>(context, d) : run<float>(context, d);
}

} // namespace lensor::LENSOR_ISA
