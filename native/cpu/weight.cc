// Weights: from GGUF's rows to panels (quant/panel.h), and one row back as f32 for the embedding.
#include "../quant/panel.h"
#include "kernels.h"
#include "unpack.h"

namespace lensor::LENSOR_ISA {

size_t weight_bytes(int32_t dtype, int64_t rows, int64_t cols) {
  return (size_t)((rows + LENSOR_PANEL - 1) / LENSOR_PANEL * panel_bytes(dtype, cols));
}

static void pack_quantized(uint8_t* to, const uint8_t* const* rows, int32_t dtype, int64_t blocks) {
  const int64_t from_bytes = row_block_bytes(dtype);
  const int heads = dtype == LENSOR_Q4_1 ? 2 : 1; // f16 numbers before a block's bytes
  const int groups = dtype == LENSOR_Q8_0 ? 8 : 4;
  for (int64_t b = 0; b < blocks; b++) {
    for (int h = 0; h < heads; h++)
      for (int r = 0; r < LENSOR_PANEL; r++, to += 2) {
        if (rows[r])
          memcpy(to, rows[r] + b * from_bytes + 2 * h, 2);
        else
          memset(to, 0, 2);
      }
    for (int j = 0; j < groups; j++)
      for (int r = 0; r < LENSOR_PANEL; r++, to += 4) {
        if (rows[r])
          memcpy(to, rows[r] + b * from_bytes + 2 * heads + 4 * j, 4);
        else
          memset(to, 0, 4);
      }
  }
}

static void pack_plain(uint8_t* to, const uint8_t* const* rows, int64_t bytes, int64_t cols) {
  for (int64_t k = 0; k < cols; k++)
    for (int r = 0; r < LENSOR_PANEL; r++, to += bytes) {
      if (rows[r])
        memcpy(to, rows[r] + k * bytes, (size_t)bytes);
      else
        memset(to, 0, (size_t)bytes);
    }
}

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
      pack_quantized(to, own, weight->dtype, weight->cols / LENSOR_BLOCK);
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
