// Which pages a query reads where a head is not to read all of them (Quest, Tang et al. 2024, arXiv
// 2406.10774): those that may hold the largest scores, by the least and most of each channel of a page's
// keys:
//   s(page) <= scale sum_i max(q_i least_i, q_i most_i)
// The query heads of a KV head read the same ones: a page's worth is by how much its bound lacks of the
// highest bound of a head, at best. For attention.cc alone.
#pragma once
#include "page.h"

namespace lensor::LENSOR_ISA {

// Marks in `chosen` [bounded] what query t of KV head g's query heads reads; of equal ones the first.
// `bound`: [bounded] floats.
LENSOR_INLINE void choose_pages(const lensor_attention* a, int64_t group, int64_t g, int64_t t, float* bound,
                                float* chosen) {
  const lensor_kv_head& head = a->kv[g];
  const int64_t width = padded(a->head_width);
  for (int64_t h = 0; h < group; h++) {
    const float* q = a->q + t * a->q_stride + (g * group + h) * a->head_width;
    float top = -INFINITY;
    for (int64_t page = 0; page < head.bounded; page++) {
      const uint16_t *least = head.bounds + 2 * page * width, *most = least + width;
      f32v sum = zero();
      for (int i = 0; i < a->head_width; i += 16) {
        const f32v x = load_part(q + i, a->head_width - i < 16 ? a->head_width - i : 16, 0);
        sum = add(sum, vmax(mul(x, load_bf16(least + i)), mul(x, load_bf16(most + i))));
      }
      bound[page] = lane_sum(sum) * a->scale;
      if (bound[page] > top) top = bound[page];
    }
    for (int64_t page = 0; page < head.bounded; page++) {
      const float worth = bound[page] - top;
      if (h == 0 || worth > chosen[page]) chosen[page] = worth;
    }
  }
  // The worths become marks: 1 for those read. A worth is at most 0.
  for (int64_t n = 0; n < head.reads && n < head.bounded; n++) {
    int64_t best = -1;
    for (int64_t page = 0; page < head.bounded; page++)
      if (chosen[page] <= 0 && (best < 0 || chosen[page] > chosen[best])) best = page;
    if (best < 0) break; // scores that are no numbers
    chosen[best] = 1;
  }
  for (int64_t page = 0; page < head.bounded; page++) chosen[page] = chosen[page] == 1 ? 1 : 0;
}

} // namespace lensor::LENSOR_ISA
