// Groups of weights to the nearest number of the grid from end to end of each: one reading for its ends,
// which leaves it in the cache for the second.
#include "grid.h"
#include "kernels.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

lensor_status round_groups(lensor_context* context, const lensor_round_groups* g) {
  const int64_t count = elements(g->scale), group = g->group;
  if (count == 0) return LENSOR_OK;
  const float* w = (const float*)g->w->data;
  float *values = (float*)g->values->data, *scale = (float*)g->scale->data, *offset = (float*)g->offset->data;
  const int32_t last = (1 << g->bits) - 1;
  const f32v steps = set1((float)last);
  return in_chunks(context, count, most(1, kGrain / group), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++) {
      const float* x = w + i * group;
      f32v low = zero(), high = zero();
      for (int64_t k = 0; k < group; k += 16) low = vmin(low, load(x + k)), high = vmax(high, load(x + k));
      const float top = lane_max(high), bottom = -lane_max(sub(zero(), low));
      const float cut = (top > -bottom ? top : -bottom) * g->reach;
      const Grid grid =
          grid_of(set1(bottom < -cut ? -cut : bottom), set1(top > cut ? cut : top), last, g->symmetric != 0);
      store_part(scale + i, grid.scale, 1), store_part(offset + i, grid.offset, 1);
      for (int64_t k = 0; k < group; k += 16)
        store(values + i * group + k, on_grid(load(x + k), grid, steps));
    }
  });
}

} // namespace lensor::LENSOR_ISA
