// The numbers that a group of weights can become: w' = scale code + offset, codes from 0 to 2^bits - 1, scale
// and offset as f16 can hold them. What gptq.cc and grid.cc agree on to the bit. A lane is a group of its
// own.
#pragma once
#include "vec.h"

namespace lensor::LENSOR_ISA {

struct Grid {
  f32v scale, offset;
};

LENSOR_INLINE f32v as_half(f32v x) {
  uint16_t half[16];
  store_f16(half, x);
  return load_f16(half);
}

// From end to end: low <= 0 and high >= 0 of a group.
//   symmetric: scale = 2 max(high, -low) / steps, offset = -2^(bits - 1) scale, as GPTQ's code has it
//   else:      scale = (high - low) / steps, offset = low
LENSOR_INLINE Grid grid_of(f32v low, f32v high, int32_t steps, bool symmetric) {
  const f32v tiny = set1(0x1p-24f); // a group of zeros has codes too
  if (symmetric) {
    const f32v most = vmax(high, sub(zero(), low));
    const f32v step = as_half(vmax(mul(most, set1((float)(2.0 / steps))), tiny));
    return {step, mul(step, set1(-(float)((steps + 1) / 2)))};
  }
  const f32v least = as_half(low);
  return {as_half(vmax(div(sub(high, least), set1((float)steps)), tiny)), least};
}

// The nearest of a grid's numbers.
LENSOR_INLINE f32v on_grid(f32v x, const Grid& grid, f32v steps) {
  const f32v code = vmin(vmax(nearest(div(sub(x, grid.offset), grid.scale)), zero()), steps);
  return fma(code, grid.scale, grid.offset);
}

} // namespace lensor::LENSOR_ISA
