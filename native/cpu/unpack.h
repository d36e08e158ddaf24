// Columns of a panel as f32, [columns][16]: w = d q, d (q - offset) or d q + m, each product and sum rounded
// by itself as the format's own reference does. For exact mode and the embedding.
#pragma once
#include "../quant/panel.h"
#include "vec.h"

namespace lensor::LENSOR_ISA {

// Columns [k, k + n) of a panel; for the block formats k is a multiple of 32 and n is 32.
void unpack(int32_t dtype, const uint8_t* panel, int64_t k, int n, float* out);

} // namespace lensor::LENSOR_ISA
