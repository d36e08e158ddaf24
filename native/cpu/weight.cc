// Weights: from GGUF's rows to panels (quant/panel.h), and one row back as f32 for the embedding.
#include "../quant/panel.h"
#include "kernels.h"
#include "unpack.h"

namespace lensor::LENSOR_ISA {

size_t weight_bytes(int32_t dtype, int64_t rows, int64_t cols) {
  return (size_t)((rows + LENSOR_PANEL - 1) / LENSOR_PANEL * panel_bytes(dtype, cols));
}

namespace {

// `n` bytes of each of the panel's rows, taken `at` bytes into its block; rows past the last are zeros.
struct Blocks {
  const uint8_t* const* rows;
  int64_t at;
  uint8_t* to;

  const uint8_t* row(int r) const { return rows[r] ? rows[r] + at : nullptr; }
  void copy(int64_t from, int n) {
    for (int r = 0; r < LENSOR_PANEL; r++, to += n) {
      if (rows[r])
        memcpy(to, row(r) + from, (size_t)n);
      else
        memset(to, 0, (size_t)n);
    }
  }
  template <class F> void words(const F& word) {
    for (int r = 0; r < LENSOR_PANEL; r++, to += 4) {
      uint32_t value = 0;
      if (rows[r]) value = word(row(r));
      memcpy(to, &value, 4);
    }
  }
};

// Bit j of GGUF's word of fifth bits is column j's; here bit g of byte t is column 4 g + t's.
uint32_t regroup(uint32_t bits) {
  uint32_t out = 0;
  for (int column = 0; column < 32; column++) out |= (bits >> column & 1) << (column % 4 * 8 + column / 4);
  return out;
}

// GGUF's block of 256 is two halves of 128 columns: 64 bytes of nibbles, 32 of upper bits. Column 32 i + l of
// a half has the low (i < 2) or high nibble of byte 32 (i % 2) + l, and bits 2 i and 2 i + 1 of upper byte l.
struct SixBits {
  static uint32_t nibble(const uint8_t* block, int column) {
    const int half = column / 128, i = column % 128 / 32, l = column % 32;
    return block[64 * half + 32 * (i % 2) + l] >> (i < 2 ? 0 : 4) & 15;
  }
  static uint32_t upper(const uint8_t* block, int column) {
    const int half = column / 128, i = column % 128 / 32, l = column % 32;
    return block[128 + 32 * half + l] >> (2 * i) & 3;
  }
};

void pack_six(Blocks& b) {
  constexpr int kScales = 192, kScale = 208;
  b.copy(kScale, 2);
  for (int group = 0; group < 16; group++) b.copy(kScales + group, 1);
  for (int first = 0; first < 256; first += 32) {
    for (int j = 0; j < 4; j++)
      b.words([&](const uint8_t* block) {
        uint32_t word = 0;
        for (int t = 0; t < 4; t++)
          word |= (SixBits::nibble(block, first + 4 * j + t) | SixBits::nibble(block, first + 16 + 4 * j + t)
                                                                   << 4)
                  << (8 * t);
        return word;
      });
    for (int h = 0; h < 2; h++)
      b.words([&](const uint8_t* block) {
        uint32_t word = 0;
        for (int j = 0; j < 4; j++)
          for (int t = 0; t < 4; t++)
            word |= SixBits::upper(block, first + 16 * h + 4 * j + t) << (8 * t + 2 * j);
        return word;
      });
  }
}

void pack_quantized(uint8_t* to, const uint8_t* const* rows, int32_t dtype, int64_t cols) {
  const int64_t bytes = row_block_bytes(dtype);
  const bool fifth = dtype == LENSOR_Q5_0 || dtype == LENSOR_Q5_1;
  Blocks b{rows, 0, to};
  for (int64_t block = 0; block < cols / block_cols(dtype); block++, b.at += bytes) {
    if (dtype == LENSOR_Q6_K) {
      pack_six(b);
      continue;
    }
    b.copy(0, 2);
    int64_t head = 2;
    if (has_minimum(dtype)) b.copy(2, 2), head = 4;
    if (fifth) {
      b.words([&](const uint8_t* row) {
        uint32_t bits;
        memcpy(&bits, row + head, 4);
        return regroup(bits);
      });
      head += 4;
    }
    for (; head < bytes; head += 4) b.copy(head, 4);
  }
}

void pack_plain(uint8_t* to, const uint8_t* const* rows, int64_t bytes, int64_t cols) {
  for (int64_t k = 0; k < cols; k++)
    for (int r = 0; r < LENSOR_PANEL; r++, to += bytes) {
      if (rows[r])
        memcpy(to, rows[r] + k * bytes, (size_t)bytes);
      else
        memset(to, 0, (size_t)bytes);
    }
}

} // namespace

void weight_pack(const lensor_weight* weight, const void* const* rows, int64_t begin, int64_t end) {
  const int64_t size = panel_bytes(weight->dtype, weight->cols);
  for (int64_t panel = begin; panel < end; panel++) {
    const uint8_t* own[LENSOR_PANEL];
    for (int r = 0; r < LENSOR_PANEL; r++) {
      int64_t row = panel * LENSOR_PANEL + r;
      own[r] = row < weight->rows ? (const uint8_t*)rows[row] : nullptr;
    }
    uint8_t* to = (uint8_t*)weight->data + panel * size;
    if (is_quantized(weight->dtype))
      pack_quantized(to, own, weight->dtype, weight->cols);
    else
      pack_plain(to, own, row_block_bytes(weight->dtype), weight->cols);
  }
}

void weight_row(const lensor_weight* weight, int64_t row, float* out) {
  const uint8_t* panel =
      (const uint8_t*)weight->data + row / LENSOR_PANEL * panel_bytes(weight->dtype, weight->cols);
  float values[LENSOR_BLOCK * LENSOR_PANEL];
  for (int64_t k = 0; k < weight->cols; k += LENSOR_BLOCK) {
    int n = (int)(weight->cols - k < LENSOR_BLOCK ? weight->cols - k : LENSOR_BLOCK);
    unpack(weight->dtype, panel, k, n, values);
    for (int i = 0; i < n; i++) out[k + i] = values[i * LENSOR_PANEL + row % LENSOR_PANEL];
  }
}

} // namespace lensor::LENSOR_ISA
