// Optimizer states in 8 bits: blocks of kCoded values share their largest magnitude as scale, and each is the
// nearest of 256 fixed numbers, dense near 0 (dynamic tree quantization; Dettmers et al. 2022, 8-bit
// Optimizers via Block-wise Quantization). Included by optimize.cc; see vec.h for what it may include.
#pragma once
#include "elementary.h"
#include "lanes.h"

namespace lensor::LENSOR_ISA {

constexpr int64_t kCoded = 256;
constexpr int kDecades = 7;

// The numbers in rising order, code 0 first: 0, 1, and in each decade [0.1, 1] 10^(i - 6) the middles of
// 2^(i + 1) equal pieces, or, where there are signs, of 2^i for each sign. `zero` is the code of 0.
struct Code {
  float value[256];
  int zero;
  // A magnitude past edge[i] is in decade i, whose pieces are 1 / slope[i] wide; past the last it is 1.
  float edge[kDecades + 1], slope[kDecades + 1];
};

constexpr Code make_code(bool with_sign) {
  Code code{};
  double magnitude[256] = {};
  int count = 1;
  double decade = 1e-6;
  for (int i = 0; i < kDecades; i++, decade *= 10) {
    const int pieces = with_sign ? 1 << i : 2 << i;
    code.slope[i] = (float)(pieces / (0.9 * decade));
    for (int j = 0; j < pieces; j++) {
      magnitude[count] = decade * (0.1 + 0.9 * (j + 0.5) / pieces);
      if (j == 0) code.edge[i] = (float)((magnitude[count - 1] + magnitude[count]) / 2);
      count++;
    }
  }
  magnitude[count] = 1;
  code.edge[kDecades] = (float)((magnitude[count - 1] + 1) / 2);
  code.zero = with_sign ? count - 1 : 0;
  for (int i = 0; i <= count; i++) code.value[code.zero + i] = (float)magnitude[i];
  for (int i = 1; i <= code.zero; i++) code.value[code.zero - i] = (float)-magnitude[i];
  return code;
}

inline constexpr Code kSigned = make_code(true), kUnsigned = make_code(false);

static inline void decode(const Code& code, const uint8_t* codes, float scale, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i++) out[i] = code.value[codes[i]] * scale;
}

// Rounds n values to their nearest codes. A second moment that is not 0 stays above it, since the step
// divides by its root; of the signed codes the lowest stands alone for all that is nearer to -1.
static inline void encode(const Code& code, const float* x, int64_t n, uint8_t* codes, float* scale) {
  f32v top = zero();
  lanes(n, [&](int64_t i, auto part) { top = vmax(top, vabs(take(x + i, part))); });
  *scale = lane_max(top);
  const f32v whole = set1(*scale > 0 ? *scale : 1), middle = set1((float)code.zero);
  const bool with_sign = code.zero != 0;
  lanes(n, [&](int64_t i, auto part) {
    const f32v value = take(x + i, part), a = div(vabs(value), whole);
    // 2^i, from which follow the decade's pieces and the rank of its first.
    f32v power = zero(), slope = zero();
    for (int d = 0; d <= kDecades; d++) {
      const f32v edge = set1(d == 0 && !with_sign ? 0 : code.edge[d]);
      power = where_gt(a, edge, set1((float)(1 << d)), power);
      slope = where_gt(a, edge, set1(code.slope[d]), slope);
    }
    const f32v pieces = with_sign ? power : add(power, power), one = set1(1.0f);
    const f32v start = with_sign ? power : sub(pieces, one);
    const f32v piece = nearest(fma(a, slope, fma(pieces, set1(-1.0f / 9), set1(-0.5f))));
    f32v rank = vmax(add(start, vmax(vmin(piece, sub(pieces, one)), zero())), zero());
    if (with_sign) rank = where_gt(zero(), value, sub(middle, vmin(rank, middle)), add(middle, rank));
    uint32_t lane[16];
    storei(lane, to_i32(rank));
    uint8_t* to = codes + i;
    if constexpr (__is_same(decltype(part), Whole))
      for (int j = 0; j < 16; j++) to[j] = (uint8_t)lane[j];
    else
      for (int j = 0; j < part.n; j++) to[j] = (uint8_t)lane[j];
  });
}

} // namespace lensor::LENSOR_ISA
