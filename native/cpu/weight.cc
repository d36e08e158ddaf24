// Weights: from GGUF's rows to panels (quant/panel.h), and one row back as f32 for the embedding.
#include "../quant/grouped.h"
#include "../quant/panel.h"
#include "kernels.h"
#include "unpack.h"
#include "walk.h"

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
  template <class F> void bytes(const F& byte) {
    for (int r = 0; r < LENSOR_PANEL; r++) *to++ = rows[r] ? byte(row(r)) : 0;
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

template <int32_t T> void pack_super(Blocks& b) {
  constexpr SuperBlock kBlock = super_block(T);
  b.copy(kBlock.scale, 2);
  if (kBlock.minimum >= 0) b.copy(kBlock.minimum, 2);
  for (int i = 0; i < kBlock.scales_bytes; i++) {
    if (kBlock.scales_bytes == 16) {
      b.copy(kBlock.scales + i, 1);
      continue;
    }
    b.bytes([&](const uint8_t* block) {
      const uint8_t* scales = block + kBlock.scales;
      unsigned byte = 0;
      for (int n = 0; n < (i < 8 ? 2 : 4); n++) {
        const SixBits at = six_bits(T, i < 8 ? 2 * i + n : 4 * (i - 8) + n);
        byte |= i < 8 ? (scales[at.low] >> at.low_shift & 15u) << (4 * n)
                      : (scales[at.up] >> at.up_shift & 3u) << (2 * n);
      }
      return (uint8_t)byte;
    });
  }
  for (int first = 0; first < 256; first += 32)
    for (const Plane plane : kBlock.planes)
      for (int word = 0; word < plane.bits; word++)
        b.words([&](const uint8_t* block) {
          uint32_t value = 0;
          for (int place = 0; place < 8 / plane.bits; place++)
            for (int t = 0; t < 4; t++) {
              const int column = first + panel_column(plane.bits, word, place, t);
              const uint32_t bits =
                  block[plane.byte(column)] >> plane.shift(column) & ((1u << plane.bits) - 1);
              value |= bits << (8 * t + plane.bits * place);
            }
          return value;
        });
}

template <int32_t T> void pack_supers(Blocks& b, int64_t cols) {
  for (int64_t block = 0; block < cols / 256; block++, b.at += super_block(T).bytes) pack_super<T>(b);
}

void pack_groups(Blocks& b, int32_t dtype, int64_t groups) {
  const int bits = grouped_bits(dtype), head = has_minimum(dtype) ? 4 : 2;
  const CodePlaces places = code_places(bits);
  for (int64_t group = 0; group < groups; group++, b.at += row_block_bytes(dtype)) {
    for (int half = 0; half < head; half += 2) b.copy(half, 2);
    for (int k = 0; k < group_cols(dtype); k += LENSOR_BLOCK, b.to += LENSOR_PANEL * 4 * bits)
      for (int r = 0; r < LENSOR_PANEL; r++) {
        uint32_t words[8] = {};
        if (b.rows[r]) {
          uint8_t codes[LENSOR_BLOCK];
          read_codes(b.row(r) + head + k * bits / 8, bits, codes);
          codes_to_words(places, bits, codes, words);
        }
        for (int w = 0; w < bits; w++) memcpy(b.to + 4 * (LENSOR_PANEL * w + r), words + w, 4);
      }
  }
}

void pack_quantized(uint8_t* to, const uint8_t* const* rows, int32_t dtype, int64_t cols) {
  const int64_t bytes = row_block_bytes(dtype);
  const bool fifth = dtype == LENSOR_Q5_0 || dtype == LENSOR_Q5_1;
  Blocks b{rows, 0, to};
  if (is_grouped(dtype)) return pack_groups(b, dtype, cols / block_cols(dtype));
  switch (dtype) {
  case LENSOR_Q2_K:
    return pack_supers<LENSOR_Q2_K>(b, cols);
  case LENSOR_Q3_K:
    return pack_supers<LENSOR_Q3_K>(b, cols);
  case LENSOR_Q4_K:
    return pack_supers<LENSOR_Q4_K>(b, cols);
  case LENSOR_Q5_K:
    return pack_supers<LENSOR_Q5_K>(b, cols);
  case LENSOR_Q6_K:
    return pack_supers<LENSOR_Q6_K>(b, cols);
  }
  for (int64_t block = 0; block < cols / block_cols(dtype); block++, b.at += bytes) {
    int64_t head = scale_bytes(dtype);
    b.copy(0, (int)head);
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

void pack_sparse(uint8_t* to, const uint8_t* const* rows, int kept, int64_t cols) {
  Blocks b{rows, 0, to};
  for (int64_t block = 0; block < cols / 16; block++, b.at += 5 * kept) {
    for (int i = 0; i < 2 * kept; i++) b.copy(2 * i, 2);
    b.copy(4 * kept, kept);
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
    if (is_sparse(weight->dtype))
      pack_sparse(to, own, sparse_kept(weight->dtype), weight->cols);
    else if (is_quantized(weight->dtype))
      pack_quantized(to, own, weight->dtype, weight->cols);
    else
      pack_plain(to, own, row_block_bytes(weight->dtype), weight->cols);
  }
}

// A row of a product of factors: the rows of `down`, each times a value of `up`'s row, in their order.
static void factored_row(const lensor_factors* factors, int64_t row, float* out) {
  const lensor_weight *down = &factors->down, *up = &factors->up;
  float values[LENSOR_BLOCK * LENSOR_PANEL], by[LENSOR_BLOCK * LENSOR_PANEL];
  memset(out, 0, (size_t)down->cols * sizeof(float));
  const auto panel = [](const lensor_weight* w, int64_t p) {
    return (const uint8_t*)w->data + p * panel_bytes(w->dtype, w->cols);
  };
  for (int64_t r = 0; r < down->rows; r += LENSOR_PANEL) {
    const int some = (int)least(LENSOR_PANEL, down->rows - r);
    unpack(up->dtype, panel(up, row / LENSOR_PANEL), r, some, by);
    for (int64_t k = 0; k < down->cols; k += LENSOR_BLOCK) {
      const int n = (int)least(LENSOR_BLOCK, down->cols - k);
      unpack(down->dtype, panel(down, r / LENSOR_PANEL), k, n, values);
      for (int i = 0; i < n; i++)
        for (int j = 0; j < some; j++)
          out[k + i] += by[j * LENSOR_PANEL + row % LENSOR_PANEL] * values[i * LENSOR_PANEL + j];
    }
  }
}

void weight_row(const lensor_weight* weight, int64_t row, float* out) {
  if (weight->dtype == LENSOR_FACTORS) return factored_row((const lensor_factors*)weight->data, row, out);
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
