// A matrix product of few rows, or by its transpose of few columns: the other side is multiplied as it lies
// in memory, since packing it would cost as much as the product. Its values for one k lie side by side; each
// element is the same chain along k as everywhere (gemm.cc).
#pragma once
#include "gemm_plan.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

// At most so many lines on the side of few, entries along K at a time, and 16-lane columns of a task.
constexpr int64_t kFew = 2 * kRows, kFewDeep = 64, kFewStrips = 8;

struct Few {
  const lensor_gemm* gemm;
  Side few, many; // many: one line of memory for each k
  bool turned;    // few are columns of the result
  int64_t entries;
};

// sums[R][kCols] (+)= few[n][kRows] times entries [first, end) of lines [line, line + 16 L) of the other
// side.
template <int R, int L, bool half> static void few_tile(const Side& many, int64_t line, int64_t first,
                                                        int64_t end, const float* few, float* sums) {
  const auto read = [&](int64_t k, int l) {
    const int64_t at = line + 16 * l;
    return across<half>(many, at, (int)least(16, many.lines - at), first + k);
  };
  add_products<R, L, half>(end - first, few, read, sums, kCols, first == 0);
}

using FewTile = void (*)(const Side&, int64_t, int64_t, int64_t, const float*, float*);
template <bool half> FewTile few_tile_of(int64_t rows, int64_t columns) {
  return sized(rows, columns, []<int R, int L>() -> FewTile { return few_tile<R, L, half>; });
}

// The sums of lines [line, line + columns): few rows of `columns` values, to where the result has them.
static inline void finish_few(const Few& p, int64_t line, int64_t columns, const float* sums) {
  const lensor_view* out = p.gemm->out;
  const int64_t size = size_of(out->dtype), rows = p.few.lines;
  const auto at = [&](int64_t row, int64_t column) {
    return (char*)out->data + (row * out->stride[1] + column) * size;
  };
  const auto of = [&](int64_t row) { return sums + row / kRows * kRows * kCols + row % kRows * kCols; };
  if (!p.turned) {
    for (int64_t r = 0; r < rows; r++) finish(p.gemm, of(r), line, columns, at(r, line));
    return;
  }
  alignas(64) float row[(kFew + 15) / 16 * 16] = {};
  for (int64_t c = 0; c < columns; c++) {
    for (int64_t r = 0; r < rows; r++) row[r] = of(r)[c];
    finish(p.gemm, row, 0, rows, at(line + c, 0));
  }
}

// Strips of kCols lines [begin, end), all of K.
template <bool half> static void few_strips(const Few& p, int64_t begin, int64_t end) {
  const int64_t panels = (p.few.lines + kRows - 1) / kRows;
  alignas(64) float sums[kFewStrips][kFew * kCols], packed[kFew * kFewDeep + 16];
  for (int64_t first = 0; first < p.entries; first += kFewDeep) {
    const int64_t last = least(p.entries, first + kFewDeep), n = last - first;
    pack_panels<kRows, half>(p.few, 0, p.few.lines, first, last, packed);
    for (int64_t s = begin; s < end; s++)
      for (int64_t i = 0; i < panels; i++) {
        const FewTile tile =
            few_tile_of<half>(least(kRows, p.few.lines - i * kRows), p.many.lines - s * kCols);
        tile(p.many, s * kCols, first, last, packed + i * kRows * n, sums[s - begin] + i * kRows * kCols);
      }
  }
  for (int64_t s = begin; s < end; s++)
    finish_few(p, s * kCols, least(kCols, p.many.lines - s * kCols), sums[s - begin]);
}

// Whether the other side lies as it is wanted.
static inline bool is_few(const lensor_gemm* g) {
  if (!g->w || g->low_rank || g->out->shape[0] != 1 || g->a->shape[2] == 0) return false;
  const bool rows = g->out->shape[1] <= kFew && g->w->stride[2] == 1,
             columns = g->out->shape[2] <= kFew && g->a->stride[1] == 1;
  return rows || columns;
}

static inline lensor_status few_product(lensor_context* context, const lensor_gemm* g) {
  Few p{g, side_of(g->a, 0, 1, 2), side_of(g->w, 0, 2, 1), false, 0};
  if (p.few.lines > kFew || p.many.ls != 1) {
    const Side rows = p.few;
    p.few = p.many, p.many = rows, p.turned = true;
  }
  const bool half = g->compute == LENSOR_BF16;
  p.entries = half ? (p.few.depth + 1) / 2 : p.few.depth;
  const int64_t strips = (p.many.lines + kCols - 1) / kCols;
  const int64_t grain = most(1, least(kFewStrips, strips / (2 * context->threads)));
  return in_chunks(context, strips, grain, [&](int64_t begin, int64_t end, int) {
    half ? few_strips<true>(p, begin, end) : few_strips<false>(p, begin, end);
  });
}

} // namespace lensor::LENSOR_ISA
