// Panels back to rows. Layouts: panel.h; that of a GGUF block beside the packing, cpu/weight.cc.
#include "rows.h"
#include "panel.h"
#include <cstring>

namespace lensor {

namespace {

// Reads a panel in its order; what belongs to rows past the last is passed over.
struct Panel {
  const uint8_t* from;
  uint8_t* rows[LENSOR_PANEL];
  int64_t at; // of the block in its row

  // `bytes` of each row, to their place in the block.
  void take(int64_t place, int bytes) {
    for (uint8_t* row : rows) {
      if (row) std::memcpy(row + at + place, from, static_cast<size_t>(bytes));
      from += bytes;
    }
  }
  template <class F> void words(const F& put) {
    for (uint8_t* row : rows) {
      uint32_t word;
      std::memcpy(&word, from, 4);
      if (row) put(row + at, word);
      from += 4;
    }
  }
};

// Bit g of byte t is column 4 g + t's here, bit j of the word column j's in the file.
uint32_t regroup(uint32_t bits) {
  uint32_t out = 0;
  for (int column = 0; column < 32; column++) out |= (bits >> (column % 4 * 8 + column / 4) & 1) << column;
  return out;
}

// Column 32 i + l of each half of 128: the low (i < 2) or high nibble of byte 32 (i % 2) + l, and bits 2 i
// and 2 i + 1 of upper byte l.
void put_nibble(uint8_t* block, int column, uint32_t value) {
  const int half = column / 128, i = column % 128 / 32, l = column % 32;
  block[64 * half + 32 * (i % 2) + l] |= static_cast<uint8_t>((value & 15) << (i < 2 ? 0 : 4));
}
void put_upper(uint8_t* block, int column, uint32_t value) {
  const int half = column / 128, i = column % 128 / 32, l = column % 32;
  block[128 + 32 * half + l] |= static_cast<uint8_t>((value & 3) << (2 * i));
}

void take_six(Panel& panel) {
  constexpr int kBits = 192, kScales = 192, kScale = 208;
  for (uint8_t* row : panel.rows)
    if (row) std::memset(row + panel.at, 0, kBits);
  panel.take(kScale, 2);
  for (int group = 0; group < 16; group++) panel.take(kScales + group, 1);
  for (int first = 0; first < 256; first += 32) {
    for (int j = 0; j < 4; j++)
      panel.words([&](uint8_t* block, uint32_t word) {
        for (int t = 0; t < 4; t++) {
          put_nibble(block, first + 4 * j + t, word >> (8 * t));
          put_nibble(block, first + 16 + 4 * j + t, word >> (8 * t + 4));
        }
      });
    for (int h = 0; h < 2; h++)
      panel.words([&](uint8_t* block, uint32_t word) {
        for (int j = 0; j < 4; j++)
          for (int t = 0; t < 4; t++) put_upper(block, first + 16 * h + 4 * j + t, word >> (8 * t + 2 * j));
      });
  }
}

void take_block(Panel& panel, int32_t dtype) {
  if (dtype == LENSOR_Q6_K) return take_six(panel);
  const int64_t bytes = row_block_bytes(dtype);
  panel.take(0, 2);
  int64_t head = 2;
  if (has_minimum(dtype)) panel.take(2, 2), head = 4;
  if (dtype == LENSOR_Q5_0 || dtype == LENSOR_Q5_1) {
    panel.words([&](uint8_t* block, uint32_t word) {
      const uint32_t bits = regroup(word);
      std::memcpy(block + head, &bits, 4);
    });
    head += 4;
  }
  for (; head < bytes; head += 4) panel.take(head, 4);
}

} // namespace

void stored_rows(const lensor_weight& weight, int64_t begin, int64_t end, uint8_t* rows) {
  const int64_t stride = row_bytes(weight.dtype, weight.cols), block = row_block_bytes(weight.dtype);
  for (int64_t index = begin; index < end; index++) {
    Panel panel{
        static_cast<const uint8_t*>(weight.data) + index * panel_bytes(weight.dtype, weight.cols), {}, 0};
    for (int64_t r = 0; r < LENSOR_PANEL; r++) {
      const int64_t row = index * LENSOR_PANEL + r;
      panel.rows[r] = row < weight.rows ? rows + row * stride : nullptr;
    }
    for (; panel.at < stride; panel.at += block) {
      if (is_quantized(weight.dtype))
        take_block(panel, weight.dtype);
      else
        panel.take(0, static_cast<int>(block));
    }
  }
}

} // namespace lensor
