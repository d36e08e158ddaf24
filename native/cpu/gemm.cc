// out[b] = f(alpha a[b] w[b] + bias) (+ out[b]), as the ABI's lensor_gemm says. A block of rows and columns
// at a time: for each stretch of K both sides are packed into panels (gemm_pack.h), shared by all threads,
// then tasks multiply some rows with some columns tile by tile (gemm_tile.h), and after the last stretch
// finish them (gemm_finish.h). Each element is one chain along k in order, from 0: fused multiply-adds, or in
// bf16 pairs of products. A tile that comes back for the next stretch goes on from where it stood, so neither
// tiles, nor M, N, batch or threads change a bit.
#include "gemm_few.h"
#include "gemm_low_rank.h"
#include "kernels.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

template <int width, bool half> void pack_group(const Side& side, int64_t line, int64_t lines, int64_t group,
                                                int64_t at, const Product& p, float* to) {
  pack_panels<width, half>(side, line + at, least(group, lines - at), p.first, p.end,
                           to + at * (p.end - p.first));
}

template <bool half> lensor_status pack(lensor_context* context, const Product& p, bool a, bool w) {
  const bool low = p.plan.gemm->low_rank != nullptr, last = p.end == p.plan.entries;
  if (low && (a || p.plan.own_a))
    pack_panels<kCols, half>(side_of(p.plan.gemm->low_rank->down, 0, 2, 1), 0, p.plan.rank, p.first, p.end,
                             p.packed_down);
  const int64_t beside = w ? (p.columns + kPackColumns - 1) / kPackColumns : 0,
                down = a ? (p.rows + kPackRows - 1) / kPackRows : 0;
  return in_chunks(context, beside + down, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++)
      if (i < beside) {
        pack_group<kCols, half>(p.w, p.left, p.columns, kPackColumns, i * kPackColumns, p, p.packed_w);
        if (low && last)
          pack_up<half>(p, i * kPackColumns, least(kPackColumns, p.columns - i * kPackColumns));
      } else {
        const int64_t at = (i - beside) * kPackRows;
        pack_group<kRows, half>(p.a, p.top, p.rows, kPackRows, at, p, p.packed_a);
        if (low)
          multiply_down<half>(p, at, least(kPackRows, p.rows - at), p.packed_a + at * (p.end - p.first));
      }
  });
}

// Rows [top, ...) and columns [left, ...) of the block.
template <bool half> void multiply(const Product& p, int64_t top, int64_t left, int32_t thread) {
  const Plan& plan = p.plan;
  const int64_t rows = least(plan.tall, p.rows - top), columns = least(plan.wide, p.columns - left),
                n = p.end - p.first, size = size_of(plan.gemm->out->dtype), step = plan.gemm->out->stride[1];
  const bool first = p.first == 0, last = p.end == plan.entries;
  float *packed_a = p.packed_a + (plan.own_a ? thread * plan.tall * plan.deep : top * n),
        *packed_w = p.packed_w + (plan.own_w ? thread * plan.wide * plan.deep : left * n);
  if (plan.own_a) pack_panels<kRows, half>(p.a, p.top + top, rows, p.first, p.end, packed_a);
  if (plan.own_w) pack_panels<kCols, half>(p.w, p.left + left, columns, p.first, p.end, packed_w);
  const bool low = plan.gemm->low_rank != nullptr;
  if (low && plan.own_a) multiply_down<half>(p, top, rows, packed_a);
  if (low && plan.own_w && last) pack_up<half>(p, left, columns);
  const int64_t further = plan.rank_entries;
  alignas(64) float here[kRows * kCols];
  for (int64_t j = left; j < left + columns; j += kCols)
    for (int64_t i = top; i < top + rows; i += kRows) {
      const int64_t high = least(kRows, top + rows - i), across = least(kCols, left + columns - j);
      const float *a = packed_a + (i - top) * n, *w = packed_w + (j - left) * n;
      char* to = p.out + ((p.top + i) * step + p.left + j) * size;
      const Tile tile = tile_of<half>(high, across);
      const float *more_a = p.packed_inner + i * further, *more_w = p.packed_up + j * further;
      if (plan.bare && across % 16 == 0) {
        tile(n, a, w, (float*)to, step, first);
        if (low && last) tile(further, more_a, more_w, (float*)to, step, false);
        continue;
      }
      float* sums = plan.waits ? p.sums + j * plan.block_rows + i * kCols : here;
      if (!first) // the next tile's, while this one is computed
        for (int64_t r = 0; r < kRows * kCols; r += 16) prefetch(sums + kRows * kCols + r);
      tile(n, a, w, sums, kCols, first);
      if (low && last) tile(further, more_a, more_w, sums, kCols, false);
      if (last)
        for (int64_t r = 0; r < high; r++)
          finish(plan.gemm, sums + r * kCols, p.left + j, across, to + r * step * size);
    }
}

template <bool half> lensor_status product(lensor_context* context, Product& p) {
  const Plan& plan = p.plan;
  const bool once = plan.deep == plan.entries;
  for (p.left = 0; p.left < plan.n; p.left += plan.block_columns) {
    p.columns = least(plan.block_columns, plan.n - p.left);
    for (p.top = 0; p.top < plan.m; p.top += plan.block_rows) {
      p.rows = least(plan.block_rows, plan.m - p.top);
      p.first = 0;
      do {
        p.end = least(plan.entries, p.first + plan.deep);
        // What is packed whole stays for all blocks that need it.
        const bool a = !plan.own_a && (!once || plan.block_rows < plan.m || p.left == 0),
                   w = !plan.own_w && (!once || p.top == 0);
        if (const auto status = pack<half>(context, p, a, w)) return status;
        const int64_t down = (p.rows + plan.tall - 1) / plan.tall,
                      beside = (p.columns + plan.wide - 1) / plan.wide;
        const auto status =
            in_chunks(context, down * beside, 1, [&](int64_t begin, int64_t end, int32_t thread) {
              for (int64_t i = begin; i < end; i++)
                multiply<half>(p, i % down * plan.tall, i / down * plan.wide, thread);
            });
        if (status) return status;
        p.first = p.end;
      } while (p.first < plan.entries);
    }
  }
  return LENSOR_OK;
}

// Where the packed sides and what waits lie in a product's memory: each from a cache line on, with room for
// what is written too far.
struct Places {
  int64_t at[6], floats;
};
Places places_of(const Plan& plan) {
  const int64_t sizes[] = {plan.floats_a,    plan.floats_w,     plan.floats_sums,
                           plan.floats_down, plan.floats_inner, plan.floats_up};
  Places places{};
  for (int i = 0; i < 6; i++) {
    places.at[i] = places.floats;
    if (sizes[i]) places.floats += rounded_up(sizes[i], 16) + 16;
  }
  return places;
}

// Products [begin, end) of the batch, one after the other in the same memory.
lensor_status products(lensor_context* context, const Plan& plan, int64_t begin, int64_t end, float* memory) {
  const lensor_gemm* g = plan.gemm;
  const Places places = places_of(plan);
  lensor_status status = LENSOR_OK;
  for (int64_t b = begin; b < end && !status; b++) {
    Product p{};
    p.plan = plan;
    p.packed_a = memory + places.at[0], p.packed_w = memory + places.at[1], p.sums = memory + places.at[2];
    p.packed_down = memory + places.at[3], p.inner = memory + places.at[4],
    p.packed_up = memory + places.at[5];
    p.packed_inner = p.inner + rounded_up(plan.block_rows, kTall) * plan.rank_width;
    p.a = side_of(g->a, b, 1, 2);
    p.w = g->w ? side_of(g->w, b, 2, 1) : Side{nullptr, 0, 0, 0, g->weight, g->flipped, plan.n, plan.k};
    p.out = (char*)g->out->data + b * g->out->stride[0] * size_of(g->out->dtype);
    status = g->compute == LENSOR_BF16 ? product<true>(context, p) : product<false>(context, p);
  }
  return status;
}

// A context of one thread inside a region of another.
lensor_context alone(lensor_context* outer) {
  lensor_context c{};
  c.self = outer;
  c.threads = 1;
  c.interrupted = [](lensor_context* c) {
    return ((lensor_context*)c->self)->interrupted((lensor_context*)c->self);
  };
  c.parallel = [](lensor_context*, int64_t items, int64_t, lensor_body body, void* arg) {
    if (items > 0) body(arg, 0, items, 0);
  };
  return c;
}

} // namespace

// With a matrix that is a product of factors: multiplied out, since many rows are to meet it.
static lensor_status factored_gemm(lensor_context* context, const lensor_gemm* g) {
  const lensor_weight* weight = g->weight;
  Scratch scratch(context);
  float* values = scratch.take<float>(weight->rows * weight->cols);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  const lensor_status status = in_chunks(context, weight->rows, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) weight_row(weight, row, values + row * weight->cols);
  });
  if (status) return status;
  lensor_view w = {};
  w.data = values, w.dtype = LENSOR_F32, w.rank = 3;
  w.shape[0] = 1, w.shape[1] = g->flipped ? weight->rows : weight->cols,
  w.shape[2] = g->flipped ? weight->cols : weight->rows;
  w.stride[0] = weight->rows * weight->cols, w.stride[1] = g->flipped ? weight->cols : 1,
  w.stride[2] = g->flipped ? 1 : weight->cols;
  lensor_gemm dense = *g;
  dense.w = &w, dense.weight = nullptr, dense.flipped = 0;
  return gemm(context, &dense);
}

lensor_status gemm(lensor_context* context, const lensor_gemm* g) {
  if (!g->w && g->weight->dtype == LENSOR_FACTORS) return factored_gemm(context, g);
  const lensor_view* out = g->out;
  const int64_t batch = out->shape[0], m = out->shape[1], n = out->shape[2], k = g->a->shape[2];
  if (batch == 0 || m == 0 || n == 0) return LENSOR_OK;
  if (is_few(g)) return few_product(context, g);
  const bool apart = context->threads > 1 && batch >= 2 * context->threads && m * n * most(1, k) <= kSmall;
  const Plan plan = plan_of(g, apart ? 1 : context->threads);
  const int64_t floats = places_of(plan).floats;
  Scratch scratch(context);
  float* memory = scratch.take<float>(floats * (apart ? context->threads : 1));
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  if (!apart) return products(context, plan, 0, batch, memory);
  int32_t failed = LENSOR_OK;
  const int64_t grain = most(1, least(batch / (4 * context->threads), kSmall / (m * n * most(1, k))));
  const lensor_status status = in_chunks(context, batch, grain, [&](int64_t begin, int64_t end, int thread) {
    lensor_context own = alone(context);
    if (const auto status = products(&own, plan, begin, end, memory + thread * floats))
      __atomic_store_n(&failed, (int32_t)status, __ATOMIC_RELAXED);
  });
  return status ? status : (lensor_status)failed;
}

// ---------------------------------------------------------------- many products, of any sizes
namespace {

// A piece is at most so large: its packed columns stay in the second-level cache.
constexpr int64_t kPieceRows = 24 * kRows, kPieceColumns = 256;

struct Pieces {
  int64_t rows, columns; // of one
  int64_t down, beside;
};

// Columns of a packed weight that is used as it lies are not cut: they run through all of its panels.
Pieces pieces_of(const lensor_gemm* g, int64_t columns) {
  const int64_t m = g->out->shape[1], n = g->out->shape[2];
  Pieces p{};
  p.rows = in_parts(m, kPieceRows, kRows);
  p.columns = g->w || !g->flipped ? in_parts(n, columns, kCols) : n;
  p.down = p.rows ? (m + p.rows - 1) / p.rows : 0;
  p.beside = p.columns ? (n + p.columns - 1) / p.columns : 0;
  return p;
}

// One piece as a product of its own; what it points at lives here.
struct Piece {
  lensor_gemm gemm;
  lensor_view a, w, out;
  lensor_weight weight;

  Piece(const lensor_gemm* g, const Pieces& p, int64_t i) : gemm(*g), a(*g->a), out(*g->out) {
    const int64_t top = i % p.down * p.rows, left = i / p.down * p.columns;
    const int64_t rows = least(p.rows, out.shape[1] - top), columns = least(p.columns, out.shape[2] - left);
    const auto moved = [](const lensor_view& v, int64_t elements) {
      return (void*)((char*)v.data + elements * size_of(v.dtype));
    };
    a.data = moved(a, top * a.stride[1]), a.shape[1] = rows;
    const int64_t at = top * out.stride[1] + left;
    out.data = moved(out, at), out.shape[1] = rows, out.shape[2] = columns;
    gemm.a = &a, gemm.out = &out;
    if (gemm.bias) gemm.bias += left;
    if (gemm.addend) gemm.addend = (const char*)gemm.addend + at * size_of(out.dtype);
    if (g->w) {
      w = *g->w;
      w.data = moved(w, left * w.stride[2]), w.shape[2] = columns;
      gemm.w = &w;
    } else if (!g->flipped) {
      weight = *g->weight;
      weight.data = (char*)weight.data + left / LENSOR_PANEL * panel_bytes(weight.dtype, weight.cols);
      weight.rows = columns;
      gemm.weight = &weight;
    }
  }
  Piece(const Piece&) = delete;
};
static_assert(kCols % LENSOR_PANEL == 0);

} // namespace

// The largest first, so that all threads end together; each piece by one thread alone, which is the same
// chain of additions as everywhere.
lensor_status gemms(lensor_context* context, const lensor_gemm* all, int64_t count) {
  Scratch scratch(context);
  int64_t* order = scratch.take<int64_t>(count);
  int64_t* first = scratch.take<int64_t>(count + 1); // piece of the i-th in order
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  const auto work = [&](int64_t i) {
    const lensor_gemm& g = all[i];
    return g.out->shape[1] * g.out->shape[2] * most(1, g.a->shape[2]);
  };
  for (int64_t i = 0; i < count; i++) {
    int64_t at = i;
    for (; at > 0 && work(order[at - 1]) < work(i); at--) order[at] = order[at - 1];
    order[at] = i;
  }
  // Narrower pieces where there would be too few for the threads.
  int64_t columns = kPieceColumns, pieces, floats;
  for (;; columns /= 2) {
    pieces = floats = 0;
    for (int64_t i = 0; i < count; i++) {
      const lensor_gemm* g = all + order[i];
      const Pieces p = pieces_of(g, columns);
      first[i] = pieces;
      pieces += p.down * p.beside;
      if (!p.down || !p.beside) continue;
      // The last ones down and beside are smaller, which a plan may answer with more memory.
      const int64_t corners[] = {0, p.down - 1, p.down * (p.beside - 1), p.down * p.beside - 1};
      for (int64_t at : corners) {
        const Piece one(g, p, at);
        floats = most(floats, places_of(plan_of(&one.gemm, 1)).floats);
      }
    }
    first[count] = pieces;
    if (columns == 2 * kCols || context->threads == 1 || pieces >= 8 * context->threads) break;
  }
  float* memory = scratch.take<float>(floats * context->threads);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  int32_t failed = LENSOR_OK;
  const lensor_status status = in_chunks(context, pieces, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t item = begin; item < end; item++) {
      int64_t i = 0, past = count;
      while (past - i > 1) (first[(i + past) / 2] <= item ? i : past) = (i + past) / 2;
      const lensor_gemm* g = all + order[i];
      const Piece piece(g, pieces_of(g, columns), item - first[i]);
      lensor_context own = alone(context);
      const lensor_status one = is_few(&piece.gemm)
                                    ? few_product(&own, &piece.gemm)
                                    : products(&own, plan_of(&piece.gemm, 1), 0, 1, memory + thread * floats);
      if (one) __atomic_store_n(&failed, (int32_t)one, __ATOMIC_RELAXED);
    }
  });
  return status ? status : (lensor_status)failed;
}

} // namespace lensor::LENSOR_ISA
