// A weight's rows back out of its panels, in the blocks that a GGUF file stores: the inverse of weight_pack.
// For files, not for computing: plain code, the same for every instruction set.
#pragma once
#include "../include/lensor_abi.h"

namespace lensor {

// Panels [begin, end) of 16 rows each; `rows` is where row 0 goes, row after row.
void stored_rows(const lensor_weight& weight, int64_t begin, int64_t end, uint8_t* rows);

} // namespace lensor
