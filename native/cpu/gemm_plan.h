// How a matrix product is cut into blocks, stretches of K and tasks, and where its packed sides lie. Relies
// on nobody: every figure follows from shapes and threads.
#pragma once
#include "gemm_finish.h"
#include "gemm_pack.h"
#include "gemm_tile.h"

namespace lensor::LENSOR_ISA {

// At most: entries along K that are packed at a time, rows and columns of a block while sums wait for the
// next stretch, and of a task. A task's columns stay in the second-level cache from one task to the next.
constexpr int64_t kDeep = 640;
constexpr int64_t kBlockRows = 1024, kBlockColumns = 1024;
constexpr int64_t kTall = 4 * kRows, kWide = 256;
// Lines that a thread packs at a time.
constexpr int64_t kPackRows = 8 * kRows, kPackColumns = 128;
// A batch of products as small as this is cut between products.
constexpr int64_t kSmall = (int64_t)1 << 23;

static inline int64_t rounded_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }
// n in equal parts of at most `most`, multiples of `of`.
static inline int64_t in_parts(int64_t n, int64_t most, int64_t of) {
  const int64_t parts = n <= most ? 1 : (n + most - 1) / most;
  return rounded_up((n + parts - 1) / parts, of);
}

// How all products of a batch are cut.
struct Plan {
  const lensor_gemm* gemm;
  int64_t m, n, k;
  int64_t entries, deep; // along K: values or pairs, and how many are packed at a time
  int64_t block_rows, block_columns;
  bool bare;  // results are written as they are summed
  bool waits; // sums need a place of their own between stretches of K
  int64_t tall, wide;
  bool own_a, own_w; // a side that a single task uses is packed by that task, next to where it multiplies
  int64_t rank, rank_entries, rank_width; // of a low-rank part: its columns, along its K, a row of its sums
  int64_t floats_a, floats_w, floats_sums, floats_down, floats_inner, floats_up;
};

static inline Plan plan_of(const lensor_gemm* g, int32_t threads) {
  Plan p{};
  p.gemm = g;
  p.m = g->out->shape[1], p.n = g->out->shape[2], p.k = g->a->shape[2];
  p.entries = g->compute == LENSOR_BF16 ? (p.k + 1) / 2 : p.k;
  p.deep = in_parts(p.entries, kDeep, 32);
  if (p.deep > p.entries) p.deep = p.entries;
  const bool once = p.deep == p.entries;
  p.block_rows = in_parts(p.m, once ? 2 * kBlockRows : kBlockRows, kRows);
  p.block_columns = in_parts(p.n, kBlockColumns, kCols);
  p.bare = is_bare(g) && (once || p.n % kCols == 0);
  p.waits = !once && !p.bare;
  p.floats_sums = p.waits ? p.block_rows * p.block_columns : 0;
  // Smaller tasks where there would be too few of them for the threads to end together.
  p.tall = kTall, p.wide = kWide;
  const auto tasks = [&] {
    return ((least(p.m, p.block_rows) + p.tall - 1) / p.tall) *
           ((least(p.n, p.block_columns) + p.wide - 1) / p.wide);
  };
  while (p.wide > 2 * kCols && threads > 1 && tasks() < 8 * threads) p.wide /= 2;
  p.own_w = p.m <= p.tall;
  p.own_a = p.n <= p.wide;
  if (p.own_w) p.wide = least(p.wide, 2 * kCols), p.own_a = p.n <= p.wide;
  p.floats_a = (p.own_a ? threads * p.tall : p.block_rows) * p.deep;
  p.floats_w = (p.own_w ? threads * p.wide : p.block_columns) * p.deep;
  if (g->low_rank) {
    p.rank = g->low_rank->down->shape[2];
    p.rank_entries = g->compute == LENSOR_BF16 ? (p.rank + 1) / 2 : p.rank;
    p.rank_width = rounded_up(p.rank, p.rank <= 16 ? 16 : kCols);
    p.floats_down = rounded_up(p.rank, kCols) * p.deep;
    p.floats_inner = rounded_up(p.block_rows, kTall) * (p.rank_width + p.rank_entries);
    p.floats_up = rounded_up(p.block_columns, kCols) * p.rank_entries;
  }
  return p;
}

// One product, and the block of it that is at work.
struct Product {
  Plan plan;
  Side a, w;
  char* out;
  float *packed_a, *packed_w, *sums; // [panel][deep][kRows or kCols]; [panel of w][panel of a][kRows][kCols]
  // Of a low-rank part: down as columns, [panel][deep][kCols]; a down of the block's rows,
  // [rows][rank_width], and packed as further entries of a; up as further entries of w.
  float *packed_down, *inner, *packed_inner, *packed_up;
  int64_t top, rows, left, columns;
  int64_t first, end; // entries along K
};

static inline Side side_of(const lensor_view* v, int64_t batch, int line, int depth) {
  const char* data = (const char*)v->data + batch * v->stride[0] * size_of(v->dtype);
  return {data, v->stride[line], v->stride[depth], v->dtype, nullptr, 0, v->shape[line], v->shape[depth]};
}

} // namespace lensor::LENSOR_ISA
