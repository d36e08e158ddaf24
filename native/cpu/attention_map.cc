// Dense attention maps, for looking at them: softmax of the visible scores, row by row, masked entries 0.
// Keys are first laid out in panels of 16, so that one row's scores are 16 at a time. A row's weights do not
// depend on the other rows.
#include "kernels.h"
#include <stdlib.h>

namespace lensor::LENSOR_ISA {

namespace {

struct Maps {
  lensor_context* context;
  const lensor_attention_map* map;
  int64_t panels;
  float* keys; // [kv_heads][panels][head_width][16]
  int32_t* failed;
};

void lay_out(void* arg, int64_t begin, int64_t end, int32_t) {
  const Maps* all = (const Maps*)arg;
  const lensor_attention_map* map = all->map;
  const int32_t width = map->head_width;
  for (int64_t item = begin; item < end; item++) {
    const int64_t g = item / all->panels, panel = item % all->panels;
    float* to = all->keys + item * width * 16;
    for (int lane = 0; lane < 16; lane++) {
      const int64_t j = panel * 16 + lane;
      const float* k = map->k + (g * map->tokens + j) * width;
      for (int i = 0; i < width; i++) to[i * 16 + lane] = j < map->tokens ? k[i] : 0;
    }
  }
}

// Softmax of one row's visible keys into `row`, whose length is a multiple of 16.
void weigh(const Maps* all, int32_t h, int64_t t, float* row) {
  const lensor_attention_map* map = all->map;
  const int32_t width = map->head_width;
  const int64_t g = (int64_t)h * map->kv_heads / map->heads, panels = t / 16 + 1;
  const float* q = map->q + ((int64_t)h * map->tokens + t) * width;
  const float* keys = all->keys + g * all->panels * width * 16;
  f32v top = set1(-INFINITY);
  for (int64_t panel = 0; panel < panels; panel++) {
    f32v s = zero();
    for (int i = 0; i < width; i++) s = fma(load(keys + (panel * width + i) * 16), set1(q[i]), s);
    store(row + panel * 16, mul(s, set1(map->scale)));
    for (int64_t j = t + 1; j < panel * 16 + 16; j++) row[j] = -INFINITY;
    top = vmax(top, load(row + panel * 16));
  }
  const f32v m = set1(lane_max(top));
  f32v sum = zero();
  for (int64_t panel = 0; panel < panels; panel++) {
    const f32v e = vexp(sub(load(row + panel * 16), m));
    store(row + panel * 16, e);
    sum = add(sum, e);
  }
  const f32v inverse = set1(1 / lane_sum(sum));
  for (int64_t panel = 0; panel < panels; panel++)
    store(row + panel * 16, mul(load(row + panel * 16), inverse));
}

// Item: one row of one head's map.
void rows(void* arg, int64_t begin, int64_t end, int32_t) {
  const Maps* all = (const Maps*)arg;
  const int64_t T = all->map->tokens;
  float* row = (float*)aligned_alloc(64, (size_t)all->panels * 64);
  if (!row) *all->failed = 1;
  for (int64_t item = begin; row && item < end && !all->context->interrupted(all->context); item++) {
    const int64_t t = item % T;
    weigh(all, (int32_t)(item / T), t, row);
    float* out = all->map->weights + item * T;
    memcpy(out, row, (size_t)(t + 1) * 4);
    memset(out + t + 1, 0, (size_t)(T - t - 1) * 4);
  }
  free(row);
}

} // namespace

lensor_status attention_map(lensor_context* context, const lensor_attention_map* map) {
  int32_t failed = 0;
  Maps all = {context, map, (map->tokens + 15) / 16, nullptr, &failed};
  all.keys = (float*)aligned_alloc(64, (size_t)(map->kv_heads * all.panels * map->head_width) * 64);
  if (!all.keys) return LENSOR_OUT_OF_MEMORY;
  context->parallel(context, map->kv_heads * all.panels, 16, lay_out, &all);
  context->parallel(context, map->heads * map->tokens, 16, rows, &all);
  free(all.keys);
  if (failed) return LENSOR_OUT_OF_MEMORY;
  return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
