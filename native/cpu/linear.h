// Pieces of linear layers, for linear.cc's own operation and for a decoder's pass (layers.cc), which cuts
// them differently: see linear.cc for the formulas. What a piece computes does not depend on how it was cut.
#pragma once
#include "kernels.h"

namespace lensor::LENSOR_ISA {

// Panels of one matrix that share a look at the activations.
constexpr int64_t kTogether = 2;
// Of a lone row nothing is saved by it.
LENSOR_INLINE int64_t together(const lensor_activations* x) { return x->rows == 1 ? 1 : kTogether; }

// Pieces of so many panels.
LENSOR_INLINE int64_t pieces_of(const lensor_weight* weight, int64_t panels) {
  const int64_t all = (weight->rows + LENSOR_PANEL - 1) / LENSOR_PANEL;
  return (all + panels - 1) / panels;
}

// Panels [first, first + count) of a matrix, at most kTogether: 16 output columns each of every row. What is
// past its end is left out.
void linear_panels(const lensor_activations* x, const lensor_linear* job, int64_t first, int64_t count);

// Rounds one row, or columns [32 block, 32 block + 32) of every row, to the forms that x asks for (round.cc).
void round_row(const lensor_activations* x, int64_t row);
void round_column(const lensor_activations* x, int64_t block);

} // namespace lensor::LENSOR_ISA
