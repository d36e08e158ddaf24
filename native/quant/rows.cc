// Panels back to rows. Layouts: panel.h; that of a GGUF block beside the packing, cpu/weight.cc.
#include "rows.h"
#include "grouped.h"
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
  template <class F> void bytes(const F& put) {
    for (uint8_t* row : rows) {
      if (row) put(row + at, *from);
      from++;
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

template <int32_t T> void take_super(Panel& panel) {
  constexpr SuperBlock kBlock = super_block(T);
  for (uint8_t* row : panel.rows)
    if (row) std::memset(row + panel.at, 0, kBlock.bytes);
  panel.take(kBlock.scale, 2);
  if (kBlock.minimum >= 0) panel.take(kBlock.minimum, 2);
  for (int i = 0; i < kBlock.scales_bytes; i++) {
    if (kBlock.scales_bytes == 16) {
      panel.take(kBlock.scales + i, 1);
      continue;
    }
    panel.bytes([&](uint8_t* block, unsigned byte) {
      uint8_t* scales = block + kBlock.scales;
      for (int n = 0; n < (i < 8 ? 2 : 4); n++) {
        const SixBits at = six_bits(T, i < 8 ? 2 * i + n : 4 * (i - 8) + n);
        if (i < 8)
          scales[at.low] |= static_cast<uint8_t>((byte >> (4 * n) & 15) << at.low_shift);
        else
          scales[at.up] |= static_cast<uint8_t>((byte >> (2 * n) & 3) << at.up_shift);
      }
    });
  }
  for (int first = 0; first < 256; first += 32)
    for (const Plane plane : kBlock.planes)
      for (int word = 0; word < plane.bits; word++)
        panel.words([&](uint8_t* block, uint32_t value) {
          for (int place = 0; place < 8 / plane.bits; place++)
            for (int t = 0; t < 4; t++) {
              const int column = first + panel_column(plane.bits, word, place, t);
              const uint32_t bits = value >> (8 * t + plane.bits * place) & ((1u << plane.bits) - 1);
              block[plane.byte(column)] |= static_cast<uint8_t>(bits << plane.shift(column));
            }
        });
}

void take_group(Panel& panel, int32_t dtype) {
  const int bits = grouped_bits(dtype), head = has_minimum(dtype) ? 4 : 2;
  const CodePlaces places = code_places(bits);
  for (int half = 0; half < head; half += 2) panel.take(half, 2);
  for (int k = 0; k < group_cols(dtype); k += LENSOR_BLOCK, panel.from += LENSOR_PANEL * 4 * bits)
    for (int r = 0; r < LENSOR_PANEL; r++) {
      if (!panel.rows[r]) continue;
      uint32_t words[8];
      uint8_t codes[LENSOR_BLOCK];
      for (int w = 0; w < bits; w++) std::memcpy(words + w, panel.from + 4 * (LENSOR_PANEL * w + r), 4);
      words_to_codes(places, words, codes);
      write_codes(codes, bits, panel.rows[r] + panel.at + head + k * bits / 8);
    }
}

void take_block(Panel& panel, int32_t dtype) {
  if (is_grouped(dtype)) return take_group(panel, dtype);
  switch (dtype) {
  case LENSOR_Q2_K:
    return take_super<LENSOR_Q2_K>(panel);
  case LENSOR_Q3_K:
    return take_super<LENSOR_Q3_K>(panel);
  case LENSOR_Q4_K:
    return take_super<LENSOR_Q4_K>(panel);
  case LENSOR_Q5_K:
    return take_super<LENSOR_Q5_K>(panel);
  case LENSOR_Q6_K:
    return take_super<LENSOR_Q6_K>(panel);
  }
  const int64_t bytes = row_block_bytes(dtype);
  int64_t head = scale_bytes(dtype);
  panel.take(0, static_cast<int>(head));
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
      if (is_sparse(weight.dtype)) {
        const int kept = sparse_kept(weight.dtype);
        for (int i = 0; i < 2 * kept; i++) panel.take(2 * i, 2);
        panel.take(4 * kept, kept);
      } else if (is_quantized(weight.dtype))
        take_block(panel, weight.dtype);
      else
        panel.take(0, static_cast<int>(block));
    }
  }
}

} // namespace lensor
