// A product's low-rank part, (a down) up beside a w: a down is multiplied while a's panels are warm from
// being packed, then stands beside them as further entries along K, as up does beside w's.
#pragma once
#include "gemm_plan.h"

namespace lensor::LENSOR_ISA {

// a down of rows [top, top + rows) of the block, whose panels are at `packed`: so far, and after the last
// stretch of K scaled and packed.
template <bool half>
static void multiply_down(const Product& p, int64_t top, int64_t rows, const float* packed) {
  const Plan& plan = p.plan;
  const lensor_low_rank* low = plan.gemm->low_rank;
  const int64_t n = p.end - p.first, rank = plan.rank, width = plan.rank_width;
  float* sums = p.inner + top * width;
  for (int64_t i = 0; i < rows; i += kRows)
    for (int64_t j = 0; j < rank; j += kCols)
      tile_of<half>(least(kRows, rows - i), rank - j)(n, packed + i * n, p.packed_down + j * n,
                                                      sums + i * width + j, width, p.first == 0);
  if (p.end < plan.entries) return;
  for (int64_t i = 0; i < rows; i++) {
    float* row = sums + i * width;
    if (low->inner) memcpy(low->inner + (p.top + top + i) * rank, row, (size_t)rank * sizeof(float));
    for (int64_t j = 0; j < width; j += 16) store(row + j, mul(load(row + j), set1(low->scale)));
  }
  const Side side{(const char*)sums, width, 1, LENSOR_F32, nullptr, 0, rows, rank};
  pack_panels<kRows, half>(side, 0, rows, 0, plan.rank_entries, p.packed_inner + top * plan.rank_entries);
}

// Columns [left, left + columns) of the block as a low-rank part's further entries.
template <bool half> static void pack_up(const Product& p, int64_t left, int64_t columns) {
  const int64_t n = p.plan.rank_entries;
  pack_panels<kCols, half>(side_of(p.plan.gemm->low_rank->up, 0, 2, 1), p.left + left, columns, 0, n,
                           p.packed_up + left * n);
}

} // namespace lensor::LENSOR_ISA
