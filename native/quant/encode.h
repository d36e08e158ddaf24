// Rows of f32 as blocks of GGUF: the bytes that llama.cpp's quantize writes for the same numbers, with or
// without an importance of columns. Plain code, the same for every instruction set.
#pragma once
#include "../include/lensor_abi.h"

namespace lensor {

// A type that `encode_rows` writes: blocks of 32 or 256 columns.
constexpr bool is_encoded(int32_t dtype) { return dtype >= LENSOR_Q4_0 && dtype <= LENSOR_Q5_K; }

// `importance` [cols], the mean square of what meets each column, or null; the numbers are finite. `out` has
// row_bytes(dtype, cols) of each of the rows.
void encode_rows(int32_t dtype, const float* rows, int64_t count, int64_t cols, const float* importance,
                 uint8_t* out);

// One block of 256 columns (encode_super.cc).
void encode_super(int32_t dtype, const float* x, const float* importance, uint8_t* block);

} // namespace lensor
