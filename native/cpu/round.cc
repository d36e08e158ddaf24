// Activations as whole numbers, for the fast products of linear.cc: q = x / scale to the nearest, even where
// two are as near, with scale = max |x| / most.
//   8 bits   of 16 columns each, with part = scale sum(q) and total = both parts of a block
//   16 bits  of a block each
// Eight blocks are rounded together, a lane for each sixteen columns; a block's numbers do not depend on
// which.
#include "linear.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int kBlocks = 8, kParts = 2 * kBlocks;
#define LENSOR_PARTS(i) _Pragma("GCC unroll 16") for (int i = 0; i < kParts; i++)

LENSOR_INLINE f32v magnitude(f32v a) { return vmax(a, sub(zero(), a)); }

LENSOR_INLINE f32v scale_of(f32v largest, int most) { return div(largest, set1((float)most)); }
LENSOR_INLINE f32v inverse_of(f32v scale) { return where_gt(scale, zero(), div(set1(1), scale), zero()); }
// What is no number must not become an integer that overflows, so it is cut to the same range.
LENSOR_INLINE i32v whole(f32v x, f32v inverse, int most) {
  const f32v bound = set1((float)most);
  return to_i32(vmin(vmax(mul(x, inverse), sub(zero(), bound)), bound));
}

// Blocks first, first + step, ..., `count` of them; past the last, the last once more.
struct Blocks {
  int64_t first, step;
  int count;
  int64_t at(int i) const { return first + (i < count ? i : count - 1) * step; }
};

void round8(const lensor_activations* x, const Blocks& blocks) {
  f32v v[kParts], top[kParts];
  LENSOR_PARTS(i) {
    v[i] = load(x->f32 + blocks.at(i / 2) * LENSOR_BLOCK + i % 2 * 16);
    top[i] = magnitude(v[i]);
  }
  const f32v scale = scale_of(lane_maxes(top), 127);
  float scales[kParts], inverses[kParts], parts[kParts];
  store(scales, scale);
  store(inverses, inverse_of(scale));
  i32v q[kParts];
  LENSOR_PARTS(i) {
    q[i] = whole(v[i], set1(inverses[i]), 127);
    store_i8(x->q8 + blocks.at(i / 2) * LENSOR_BLOCK + i % 2 * 16, q[i]);
  }
  store(parts, mul(scale, to_f32(lane_sums(q))));
  for (int i = 0; i < blocks.count; i++) {
    const int64_t b = blocks.at(i);
    memcpy(x->scale8 + 2 * b, scales + 2 * i, 8);
    memcpy(x->part8 + 2 * b, parts + 2 * i, 8);
    x->total8[b] = parts[2 * i] + parts[2 * i + 1];
  }
}

void round16(const lensor_activations* x, int64_t b) {
  const f32v v[2] = {load(x->f32 + b * LENSOR_BLOCK), load(x->f32 + b * LENSOR_BLOCK + 16)};
  const f32v scale = scale_of(set1(lane_max(vmax(magnitude(v[0]), magnitude(v[1])))), 32767);
  const f32v inverse = inverse_of(scale);
  store_part(x->scale16 + b, scale, 1);
  for (int half = 0; half < 2; half++)
    store_low((uint16_t*)x->q16 + b * LENSOR_BLOCK + 16 * half,
              andi(swap_middle(whole(v[half], inverse, 32767)), set1i(0xffff)));
}

void round_blocks(const lensor_activations* x, int64_t first, int64_t step, int64_t count) {
  for (int64_t i = 0; i < count && x->q8; i += kBlocks)
    round8(x, {first + i * step, step, (int)(count - i < kBlocks ? count - i : kBlocks)});
  for (int64_t i = 0; i < count && x->q16; i++) round16(x, first + i * step);
}

void round_rows(void* arg, int64_t begin, int64_t end, int32_t) {
  for (int64_t row = begin; row < end; row++) round_row((const lensor_activations*)arg, row);
}

} // namespace

void round_row(const lensor_activations* x, int64_t row) {
  const int64_t blocks = x->cols / LENSOR_BLOCK;
  round_blocks(x, row * blocks, 1, blocks);
}

void round_column(const lensor_activations* x, int64_t block) {
  round_blocks(x, block, x->cols / LENSOR_BLOCK, x->rows);
}

lensor_status quantize(lensor_context* context, const lensor_activations* x) {
  if (x->rows < 8)
    round_rows((void*)x, 0, x->rows, 0);
  else
    context->parallel(context, x->rows, 8, round_rows, (void*)x);
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
