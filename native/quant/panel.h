// How the CPU lays out a weight matrix: panels of 16 output rows, interleaved so that one vector load brings
// the same columns of 16 rows. GEMV and GEMM read the same panels in the same order, so an output's additions
// never depend on how many rows of activations there are.
//
//   F32, F16, BF16   [cols][16] values
//   Q4_0             a block of 32 columns: 16 scales f16, then 4 x [16 rows][4 bytes]; byte t of row r in
//   group j holds
//                    column 4j + t in its low and column 16 + 4j + t in its high nibble, which is GGUF's own
//                    order
//   Q4_1             the same with 16 minima f16 after the scales
//   Q8_0             16 scales f16, then 8 x [16 rows][4 signed bytes]
//
// Rows past the last are zeros. A panel takes no more bytes than its 16 rows do in the file.
#pragma once
#include "../include/lensor_abi.h"

namespace lensor {

// Bytes of 32 columns of one row as GGUF stores it (of one column where the type has no blocks).
constexpr int64_t row_block_bytes(int32_t dtype) {
  switch (dtype) {
  case LENSOR_Q4_0:
    return 18;
  case LENSOR_Q4_1:
    return 20;
  case LENSOR_Q8_0:
    return 34;
  case LENSOR_F32:
    return 4;
  default:
    return 2;
  }
}

constexpr bool is_quantized(int32_t dtype) { return dtype >= LENSOR_Q4_0; }

constexpr bool is_weight(int32_t dtype) {
  return dtype == LENSOR_F32 || dtype == LENSOR_F16 || dtype == LENSOR_BF16 || dtype == LENSOR_Q4_0 ||
         dtype == LENSOR_Q4_1 || dtype == LENSOR_Q8_0;
}

constexpr int64_t row_bytes(int32_t dtype, int64_t cols) {
  return (is_quantized(dtype) ? cols / LENSOR_BLOCK : cols) * row_block_bytes(dtype);
}

constexpr int64_t panel_bytes(int32_t dtype, int64_t cols) { return LENSOR_PANEL * row_bytes(dtype, cols); }

} // namespace lensor
