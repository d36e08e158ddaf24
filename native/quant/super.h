// Where GGUF's blocks of 256 columns (k-quants) keep what, and in what order a panel has it (panel.h).
// Numbers of one column are cut into planes of 4, 2 and 1 bits; scales of 6 bits stand in twelve bytes.
// Positions alone: what the numbers mean is cpu/unpack.h's. Format: ggml-common.h of ggml.
#pragma once
#include "../include/lensor_abi.h"

namespace lensor {

// One plane in the file: each run of `period` bytes holds the same bits of 8 / bits runs of `period` columns.
struct Plane {
  int bits, at, period;

  constexpr int columns() const { return period * 8 / bits; }
  constexpr int byte(int column) const { return at + period * (column / columns()) + column % period; }
  constexpr int shift(int column) const { return bits * (column % columns() / period); }
};

// Column of 32 whose bits stand at `bits` times `place` of byte t of a panel's word.
constexpr int panel_column(int bits, int word, int place, int t) {
  return bits == 4 ? 16 * place + 4 * word + t : 16 * word + 4 * place + t;
}

struct SuperBlock {
  int bytes;
  int scale, minimum;       // f16 of the whole block; no minimum: -1
  int scales, scales_bytes; // of 16 or 32 columns
  Plane planes[2];          // the lower bits, and the upper ones; none: 0 bits
};

constexpr SuperBlock super_block(int32_t dtype) {
  switch (dtype) {
  case LENSOR_Q2_K:
    return {84, 80, 82, 0, 16, {{2, 16, 32}, {0, 0, 1}}};
  case LENSOR_Q3_K:
    return {110, 108, -1, 96, 12, {{2, 32, 32}, {1, 0, 32}}};
  case LENSOR_Q4_K:
    return {144, 0, 2, 4, 12, {{4, 16, 32}, {0, 0, 1}}};
  case LENSOR_Q5_K:
    return {176, 0, 2, 4, 12, {{4, 48, 32}, {1, 16, 32}}};
  default: // Q6_K
    return {210, 208, -1, 192, 16, {{4, 0, 64}, {2, 128, 32}}};
  }
}

constexpr bool is_super(int32_t dtype) { return dtype >= LENSOR_Q6_K && dtype <= LENSOR_Q5_K; }

// Twelve bytes are sixteen numbers of 6 bits, for each 32 columns in turn the scales of both halves (Q3_K),
// or scale and minimum: where the file has the n-th's lower four and upper two bits. A panel has the lower
// ones of a pair in byte n / 2, the upper ones of two pairs in byte 8 + n / 4.
struct SixBits {
  int low, low_shift, up, up_shift;
};
constexpr SixBits six_bits(int32_t dtype, int n) {
  if (dtype == LENSOR_Q3_K) return {n % 8, 4 * (n / 8), 8 + n % 4, 2 * (n / 4)};
  const int group = n / 2, minimum = n % 2;
  if (group < 4) return {group + 4 * minimum, 0, group + 4 * minimum, 4};
  return {group + 4, 4 * minimum, group - 4 + 4 * minimum, 6};
}

} // namespace lensor
