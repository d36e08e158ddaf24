// How the CPU lays out a weight matrix: panels of 16 output rows, interleaved so that one vector load brings
// the same columns of 16 rows. GEMV and GEMM read the same panels in the same order, so an output's additions
// never depend on how many rows of activations there are.
//
//   F32, F16, BF16   [cols][16] values
//   Q4_0             a block of 32 columns: 16 scales f16, then 4 x [16 rows][4 bytes]; byte t of row r in
//                    group j holds column 4j + t in its low and column 16 + 4j + t in its high nibble, which
//                    is GGUF's own order
//   Q4_1             the same with 16 minima f16 after the scales
//   Q5_0, Q5_1       the same with the fifth bits before the nibbles: [16 rows][4 bytes]; bit g of byte t is
//                    that of column 4g + t
//   MXFP4            16 exponents, a byte each, then nibbles as in Q4_0
//   Q8_0             16 scales f16, then 8 x [16 rows][4 signed bytes]
//   Q2_K .. Q6_K     a block of 256 columns: 16 scales f16, 16 minima f16 where there are any, then scales of
//                    16 or 32 columns: 16 x [16 rows] bytes (Q6_K: signed; Q2_K: a scale below a minimum), or
//                    12 x [16 rows] (super.h). For every 32 columns the lower bits, then the upper ones: four
//                    bits as in Q4_0, one as in Q5_0, two as 2 x [16 rows][4 bytes], where bits 2j and 2j + 1
//                    of byte t belong to column 16h + 4j + t
//   grouped          a group of 32, 64 or 128 columns: 16 scales f16, 16 minima f16 where there are some,
//   then
//                    for every 32 columns the words that grouped.h describes, each [16 rows][4 bytes]
//
//   sparse           of 16 columns the 2n kept ones in their order, n of each half: 2n x [16] f16, then
//                    [16 rows][n bytes]: nibble i is the column, 0 to 15, of the i-th; what is kept beyond a
//                    row's own values is a zero that it has
//
// Rows past the last are zeros. A panel takes no more bytes than its 16 rows do in the file.
#pragma once
#include "../include/lensor_abi.h"
#include "super.h"

namespace lensor {

// Columns of one row that are stored together, and the bytes that GGUF stores them in.
constexpr bool is_grouped(int32_t dtype) { return dtype >> 8 == 1; }
constexpr int grouped_bits(int32_t dtype) { return dtype >> 4 & 15; }
constexpr int group_cols(int32_t dtype) { return LENSOR_BLOCK << (dtype >> 1 & 7); }
constexpr int32_t grouped_type(int bits, int group, bool minimum) {
  return LENSOR_GROUPED | bits << 4 | (group == 32 ? 0 : group == 64 ? 2 : 4) | (minimum ? 1 : 0);
}

constexpr bool has_minimum(int32_t dtype) {
  return dtype == LENSOR_Q4_1 || dtype == LENSOR_Q5_1 || dtype == LENSOR_Q2_K || dtype == LENSOR_Q4_K ||
         dtype == LENSOR_Q5_K || (is_grouped(dtype) && (dtype & 1));
}

constexpr bool is_sparse(int32_t dtype) { return dtype >> 8 == LENSOR_SPARSE >> 8; }
constexpr int sparse_kept(int32_t dtype) { return dtype & 255; }

constexpr int64_t block_cols(int32_t dtype) {
  if (is_grouped(dtype)) return group_cols(dtype);
  if (is_sparse(dtype)) return 16;
  return is_super(dtype) ? 256 : dtype >= LENSOR_Q4_0 ? LENSOR_BLOCK : 1;
}

constexpr int64_t row_block_bytes(int32_t dtype) {
  if (is_grouped(dtype)) return (has_minimum(dtype) ? 4 : 2) + group_cols(dtype) * grouped_bits(dtype) / 8;
  if (is_sparse(dtype)) return 5 * sparse_kept(dtype);
  switch (dtype) {
  case LENSOR_Q4_0:
    return 18;
  case LENSOR_Q4_1:
    return 20;
  case LENSOR_Q5_0:
    return 22;
  case LENSOR_Q5_1:
    return 24;
  case LENSOR_Q8_0:
    return 34;
  case LENSOR_MXFP4:
    return 17;
  case LENSOR_Q2_K:
  case LENSOR_Q3_K:
  case LENSOR_Q4_K:
  case LENSOR_Q5_K:
  case LENSOR_Q6_K:
    return super_block(dtype).bytes;
  case LENSOR_F32:
    return 4;
  default:
    return 2;
  }
}

// Bytes of a row's block before its nibbles, minimum and fifth bits: those of its scale.
constexpr int scale_bytes(int32_t dtype) { return dtype == LENSOR_MXFP4 ? 1 : 2; }

constexpr bool is_quantized(int32_t dtype) { return dtype >= LENSOR_Q4_0 && dtype < LENSOR_SPARSE; }

// Whether fast products take activations of 16 bits in place of 8.
constexpr bool takes_wide(int32_t dtype) {
  return dtype == LENSOR_Q8_0 || (is_grouped(dtype) && grouped_bits(dtype) == 8);
}

constexpr bool is_weight(int32_t dtype) {
  if (is_grouped(dtype)) {
    const int bits = grouped_bits(dtype);
    return bits >= 2 && bits <= 8 && bits != 7 && group_cols(dtype) <= 128;
  }
  if (is_sparse(dtype)) return sparse_kept(dtype) == 1 || sparse_kept(dtype) == 2 || sparse_kept(dtype) == 4;
  return dtype == LENSOR_F32 || dtype == LENSOR_F16 || dtype == LENSOR_BF16 ||
         (dtype >= LENSOR_Q4_0 && dtype <= LENSOR_MXFP4);
}

constexpr int64_t row_bytes(int32_t dtype, int64_t cols) {
  return cols / block_cols(dtype) * row_block_bytes(dtype);
}

constexpr int64_t panel_bytes(int32_t dtype, int64_t cols) { return LENSOR_PANEL * row_bytes(dtype, cols); }

// Matrix e of several that stand one after the other in one weight, `rows` each (whole panels); or the weight
// itself where it is one for all.
inline lensor_weight part_of(lensor_weight all, int64_t e, int64_t rows) {
  if (all.rows == rows) return all;
  all.data = static_cast<char*>(all.data) + e * (rows / LENSOR_PANEL) * panel_bytes(all.dtype, all.cols);
  all.rows = rows;
  return all;
}

} // namespace lensor
