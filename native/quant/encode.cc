// Blocks of 32 columns: d and codes around the middle (Q4_0, Q5_0, Q8_0), or d, m and codes above the minimum
// (Q4_1, Q5_1). Without importance the block's extreme, or both its ends, lie on the grid; with it the grid
// is searched (fit.h), a weight counting importance sqrt(mean x^2 of the row + x^2).
#include "encode.h"
#include "fit.h"
#include "half.h"
#include "panel.h"
#include <climits>
#include <cmath>
#include <cstring>

namespace lensor {

namespace {

constexpr int kBlock = 32;
constexpr Tries kTries{-0.9f, 0.05f, 36, false};

// Towards 0. Out of range, where a block is so small that 1 / d is no number, what x86 gives: the least.
int whole(float x) { return std::fabs(x) < 2147483648.0f ? static_cast<int>(x) : INT_MIN; }
int8_t byte(float x) { return static_cast<int8_t>(static_cast<uint32_t>(whole(x))); }

float inverse_of(float d) { return d != 0 ? 1.0f / d : 0.0f; }

void put_half(uint8_t* to, float x) {
  const uint16_t half = to_half(x);
  std::memcpy(to, &half, 2);
}

// Nibbles, before them the fifth bits where there are any.
void put_codes(uint8_t* to, const uint8_t* codes, bool fifth) {
  if (fifth) {
    uint32_t bits = 0;
    for (int i = 0; i < kBlock; i++) bits |= static_cast<uint32_t>(codes[i] >> 4 & 1) << i;
    std::memcpy(to, &bits, 4);
    to += 4;
  }
  for (int i = 0; i < 16; i++) to[i] = static_cast<uint8_t>((codes[i] & 15) | codes[i + 16] << 4);
}

void encode_signed(const float* x, const float* weights, bool fifth, uint8_t* block) {
  const int most = fifth ? 16 : 8;
  uint8_t codes[kBlock];
  float d;
  if (weights) {
    d = fit_signed(kBlock, most, x, weights, codes);
  } else {
    d = extreme(kBlock, x) / static_cast<float>(-most);
    const float inverse = inverse_of(d), half = static_cast<float>(most) + 0.5f;
    for (int i = 0; i < kBlock; i++) {
      const int8_t code = byte(x[i] * inverse + half);
      codes[i] = static_cast<uint8_t>(code < 2 * most - 1 ? code : 2 * most - 1);
    }
  }
  put_half(block, d);
  put_codes(block + 2, codes, fifth);
}

void encode_above(const float* x, const float* weights, bool fifth, uint8_t* block) {
  const int most = fifth ? 31 : 15;
  uint8_t codes[kBlock];
  float d, low = x[0], high = x[0];
  if (weights) {
    d = fit_above(kBlock, most, x, weights, kTries, codes, &low);
    low = -low;
  } else {
    for (int i = 1; i < kBlock; i++) {
      if (x[i] < low) low = x[i];
      if (x[i] > high) high = x[i];
    }
    d = (high - low) / static_cast<float>(most);
    const float inverse = inverse_of(d);
    for (int i = 0; i < kBlock; i++) {
      const int8_t code = byte((x[i] - low) * inverse + 0.5f);
      codes[i] = static_cast<uint8_t>(fifth || code < most ? code : most);
    }
  }
  put_half(block, d);
  put_half(block + 2, low);
  put_codes(block + 4, codes, fifth);
}

void encode_eight(const float* x, uint8_t* block) {
  const float d = std::fabs(extreme(kBlock, x)) / 127, inverse = inverse_of(d);
  put_half(block, d);
  for (int i = 0; i < kBlock; i++) block[2 + i] = static_cast<uint8_t>(byte(std::round(x[i] * inverse)));
}

void encode_row(int32_t dtype, const float* x, int64_t cols, const float* importance, uint8_t* out) {
  const int64_t size = block_cols(dtype), bytes = row_block_bytes(dtype);
  float sum = 0;
  if (importance && !is_super(dtype))
    for (int64_t i = 0; i < cols; i++) sum += x[i] * x[i];
  const float mean = sum / static_cast<float>(cols);
  for (int64_t at = 0; at < cols; at += size, x += size, out += bytes) {
    if (is_super(dtype)) {
      encode_super(dtype, x, importance ? importance + at : nullptr, out);
      continue;
    }
    float weights[kBlock];
    if (importance)
      for (int i = 0; i < kBlock; i++) weights[i] = importance[at + i] * std::sqrt(mean + x[i] * x[i]);
    const float* weighed = importance ? weights : nullptr;
    if (dtype == LENSOR_Q8_0)
      encode_eight(x, out);
    else if (has_minimum(dtype))
      encode_above(x, weighed, dtype == LENSOR_Q5_1, out);
    else
      encode_signed(x, weighed, dtype == LENSOR_Q5_0, out);
  }
}

} // namespace

void encode_rows(int32_t dtype, const float* rows, int64_t count, int64_t cols, const float* importance,
                 uint8_t* out) {
  for (int64_t row = 0; row < count; row++)
    encode_row(dtype, rows + row * cols, cols, importance, out + row * row_bytes(dtype, cols));
}

} // namespace lensor
