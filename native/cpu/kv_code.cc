// Keys and values into the codes that kv_code.h reads. A group of n numbers x gets a scale and an offset,
//   x ~ offset + scale c,   c a whole number of [0, 2^bits),
// at first from its least and largest (as KIVI, Liu et al. 2024), then twice by least squares with the codes
// as they are; the best of the three stays.
#include "kv_code.h"
#include "kernels.h"
#include "scratch.h"

namespace lensor::LENSOR_ISA {

namespace {

// A group's vectors: of a row one behind the other, of sixteen columns a row apart.
struct Group {
  float* at;
  int64_t count, step;
  bool by_row;

  float* vector(int64_t i) const { return at + i * step; }
  // A sum over the group: of a row over its lanes too.
  f32v sum(f32v lanes) const { return by_row ? set1(lane_sum(lanes)) : lanes; }
  f32v most(f32v lanes) const { return by_row ? set1(lane_max(lanes)) : lanes; }
  float size() const { return (float)(by_row ? 16 * count : count); }
};

struct Line {
  f32v scale, offset;
};

LENSOR_INLINE f32v through_f16(f32v x) {
  uint16_t some[16];
  const f32v bound = set1(65504);
  store_f16(some, vmin(vmax(x, sub(zero(), bound)), bound));
  return load_f16(some);
}

LENSOR_INLINE f32v code_of(f32v x, Line line, float top) {
  // A scale of 0 leaves 0 / 0, which the bounds make 0.
  const f32v c = nearest(div(sub(x, line.offset), line.scale));
  return where_nan(c, zero(), vmin(vmax(c, zero()), set1(top)));
}

Line best_line(const Group& group, float top) {
  f32v least = load(group.at), largest = least;
  for (int64_t i = 1; i < group.count; i++)
    least = vmin(least, load(group.vector(i))), largest = vmax(largest, load(group.vector(i)));
  least = sub(zero(), group.most(sub(zero(), least))), largest = group.most(largest);
  Line line = {through_f16(mul(sub(largest, least), set1(1 / top))), through_f16(least)}, best = line;
  f32v best_error = set1(INFINITY);
  const f32v n = set1(group.size());
  for (int round = 0; round < 3; round++) {
    f32v c = zero(), cc = zero(), cx = zero(), sum = zero(), error = zero();
    for (int64_t i = 0; i < group.count; i++) {
      const f32v x = load(group.vector(i)), code = code_of(x, line, top);
      const f32v off = sub(x, fma(code, line.scale, line.offset));
      // About the offset, so that a large one does not swallow the rest.
      const f32v y = sub(x, line.offset);
      c = add(c, code), cc = fma(code, code, cc), cx = fma(code, y, cx), sum = add(sum, y);
      error = fma(off, off, error);
    }
    c = group.sum(c), cc = group.sum(cc), cx = group.sum(cx), sum = group.sum(sum), error = group.sum(error);
    best.scale = where_gt(best_error, error, line.scale, best.scale);
    best.offset = where_gt(best_error, error, line.offset, best.offset);
    best_error = vmin(best_error, error);
    const f32v spread = sub(mul(n, cc), mul(c, c)), slope = div(sub(mul(n, cx), mul(c, sum)), spread);
    const f32v scale = where_gt(spread, zero(), slope, line.scale);
    const f32v offset = add(line.offset, mul(sub(sum, mul(scale, c)), set1(1 / group.size())));
    line = {through_f16(scale), through_f16(offset)};
  }
  return best;
}

void store_codes(int bits, const float* lanes, uint8_t* to) {
  uint32_t word = 0;
  uint16_t third = 0;
  for (int i = 0; i < 16; i++) {
    const uint32_t c = (uint32_t)lanes[i];
    if (bits == 8) to[i] = (uint8_t)c;
    if (bits == 4) to[i % 8] = (uint8_t)(i < 8 ? c : to[i % 8] | c << 4);
    word |= (c & 3) << (2 * i), third |= (uint16_t)((c >> 2 & 1) << i);
  }
  if (bits <= 3) memcpy(to, &word, 4);
  if (bits == 3) memcpy(to + 4, &third, 2);
}

void encode_bits(const lensor_kv_code& code, const Side& side, float* m, void* out) {
  const int64_t groups = groups_of(side), vectors = side.cols / 16;
  const float top = (float)((1 << code.bits) - 1);
  uint16_t *scales = (uint16_t*)out, *offsets = scales + groups;
  uint8_t* codes = (uint8_t*)(offsets + groups);
  const int64_t count = side.by_row ? side.rows : vectors;
  for (int64_t g = 0; g < count; g++) {
    const Group group = side.by_row ? Group{m + g * side.cols, vectors, 16, true}
                                    : Group{m + 16 * g, side.rows, side.cols, false};
    const Line line = best_line(group, top);
    uint16_t narrow[2][16];
    store_f16(narrow[0], line.scale), store_f16(narrow[1], line.offset);
    const int64_t at = side.by_row ? g : 16 * g;
    memcpy(scales + at, narrow[0], side.by_row ? 2 : 32),
        memcpy(offsets + at, narrow[1], side.by_row ? 2 : 32);
    for (int64_t i = 0; i < group.count; i++) {
      float lanes[16];
      store(lanes, code_of(load(group.vector(i)), line, top));
      const int64_t vector = side.by_row ? g * vectors + i : i * vectors + g;
      store_codes(code.bits, lanes, codes + 2 * code.bits * vector);
    }
  }
}

void put(int32_t dtype, void* to, int64_t at, float x) {
  uint16_t some[16];
  if (dtype == LENSOR_F32) {
    ((float*)to)[at] = x;
    return;
  }
  dtype == LENSOR_F16 ? store_f16(some, set1(x)) : store_bf16(some, set1(x));
  ((uint16_t*)to)[at] = some[0];
}

// What is stored of one key or value: its coordinates, or its kept channels.
float part_of(const lensor_kv_code& code, int32_t width, const float* x, int64_t r) {
  if (code.kind == LENSOR_KV_CHANNELS) return x[code.channels[r]];
  const float* axis = code.basis + r * ((width + 15) / 16 * 16);
  f32v sum = zero();
  for (int i = 0; i < width; i += 16) {
    const int n = width - i < 16 ? width - i : 16;
    sum = fma(load_part(x + i, n, 0), load_part(axis + i, n, 0), sum);
  }
  return lane_sum(sum);
}

// Row j of the side's keys or values; where there are fewer than room, the last again.
LENSOR_INLINE const float* row_of(const float* rows, int64_t stride, int64_t count, int64_t j) {
  return rows + (j < count ? j : count - 1) * stride;
}

} // namespace

size_t kv_code_bytes(const lensor_kv_code* code, int32_t width, int32_t room, int32_t values) {
  const Side side = side_of(*code, width, room, values != 0);
  if (code->kind == LENSOR_KV_BITS)
    return (size_t)(4 * groups_of(side) + side.rows * side.cols * code->bits / 8);
  return (size_t)((int64_t)code->rank * room * (code->dtype == LENSOR_F32 ? 4 : 2));
}

lensor_status kv_encode(lensor_context* context, const lensor_kv_code* code, const float* rows,
                        int64_t stride, int64_t count, int32_t width, int32_t room, int32_t values,
                        void* out) {
  const Side side = side_of(*code, width, room, values != 0);
  if (code->kind != LENSOR_KV_BITS) {
    for (int64_t j = 0; j < room; j++)
      for (int64_t r = 0; r < code->rank; r++)
        put(code->dtype, out, values ? j * code->rank + r : r * room + j,
            part_of(*code, width, row_of(rows, stride, count, j), r));
    return LENSOR_OK;
  }
  Scratch scratch(context);
  float* m = scratch.take<float>(side.rows * side.cols);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  for (int64_t j = 0; j < room; j++) {
    const float* row = row_of(rows, stride, count, j);
    // Beyond the width stands what is there already, so that no group grows wider by it.
    for (int64_t i = 0; i < (values ? side.cols : width); i++)
      m[values ? j * side.cols + i : i * side.cols + j] = row[i < width ? i : 0];
  }
  if (code->rotated) rotate_side(width, side, values != 0, m);
  encode_bits(*code, side, m, out);
  return LENSOR_OK;
}

void kv_decode(const lensor_kv_code* code, const void* from, int32_t width, int32_t room, int32_t values,
               float* out) {
  decode_side(*code, width, room, values != 0, from, out);
}

} // namespace lensor::LENSOR_ISA
