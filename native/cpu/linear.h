// Pieces of linear layers, for linear.cc's own operation and for a decoder's pass (layers.cc), which cuts
// them differently: see linear.cc for the formulas. What a piece computes does not depend on how it was cut.
#pragma once
#include "kernels.h"

namespace lensor::LENSOR_ISA {

// Panels of one matrix that share a look at the activations.
constexpr int64_t kTogether = 2;

LENSOR_INLINE int64_t panels_of(const lensor_weight* weight) {
  return (weight->rows + LENSOR_PANEL - 1) / LENSOR_PANEL;
}
LENSOR_INLINE int64_t pairs_of(const lensor_weight* weight) {
  return (panels_of(weight) + kTogether - 1) / kTogether;
}

// Output columns [32 pair, 32 pair + 32) of every row.
void linear_pair(const lensor_activations* x, const lensor_linear* job, int64_t pair);

// Rounds columns [32 begin, 32 end) of one row in the forms that x asks for.
void round_blocks(const lensor_activations* x, int64_t row, int64_t begin, int64_t end);

} // namespace lensor::LENSOR_ISA
