// Blocks of 256 columns: each 16 or 32 find scale and minimum (fit.h), those of the block are rounded to 4, 6
// or 8 bits under an f16 of their own, and codes follow from what they have become. A weight counts, where
// there is an importance, importance sqrt(c mean x^2 of the block + x^2), c 1 or 2; without it, what its
// format's reference says: x^2, |x|, or |x| + sqrt(mean x^2 of its group).
#include "encode.h"
#include "fit.h"
#include "half.h"
#include "super.h"
#include <cmath>
#include <cstring>

namespace lensor {

namespace {

constexpr int kColumns = 256, kMostGroups = 16;

float put_half(uint8_t* to, float x) {
  const uint16_t half = to_half(x);
  std::memcpy(to, &half, 2);
  return from_half(half);
}

float mean_square(int n, const float* x) {
  float sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] * x[i];
  return sum / static_cast<float>(n);
}

// sum over a group, in order.
float total(int n, const float* weights) {
  float sum = 0;
  for (int i = 0; i < n; i++) sum += weights[i];
  return sum;
}

void put_codes(const SuperBlock& shape, const uint8_t* codes, uint8_t* block) {
  int shift = 0;
  for (const Plane& plane : shape.planes) {
    for (int i = 0; i < (plane.bits ? kColumns : 0); i++)
      block[plane.byte(i)] |=
          static_cast<uint8_t>((codes[i] >> shift & ((1 << plane.bits) - 1)) << plane.shift(i));
    shift += plane.bits;
  }
}

void put_six(int32_t dtype, uint8_t* scales, int n, uint8_t code) {
  const SixBits at = six_bits(dtype, n);
  scales[at.low] |= static_cast<uint8_t>((code & 15) << at.low_shift);
  scales[at.up] |= static_cast<uint8_t>((code >> 4 & 3) << at.up_shift);
}

// Q6_K: a group's scale is a signed byte.
void encode_six(const float* x, const float* importance, uint8_t* block) {
  constexpr SuperBlock kShape = super_block(LENSOR_Q6_K);
  uint8_t codes[kColumns];
  float scales[16], weights[16];
  for (int g = 0; g < 16; g++) {
    for (int i = 0; i < 16; i++) weights[i] = x[16 * g + i] * x[16 * g + i];
    const float* of = importance ? importance + 16 * g : weights;
    scales[g] = fit_signed(16, 32, x + 16 * g, of, codes + 16 * g);
  }
  const float peak = extreme(16, scales);
  if (std::fabs(peak) < kNothing) return;
  const float inverse = -128.0f / peak, d = put_half(block + kShape.scale, 1 / inverse);
  for (int g = 0; g < 16; g++) {
    const int code = nearest(inverse * scales[g]);
    const auto scale = static_cast<int8_t>(code < 127 ? code : 127);
    block[kShape.scales + g] = static_cast<uint8_t>(scale);
    const float own = d * static_cast<float>(scale);
    for (int i = 16 * g; i < 16 * g + 16 && own != 0; i++)
      codes[i] = static_cast<uint8_t>(within(nearest(x[i] / own), -32, 31) + 32);
  }
  put_codes(kShape, codes, block);
}

// Q3_K: a group's scale has 6 bits around 32.
void encode_three(const float* x, const float* importance, uint8_t* block) {
  constexpr SuperBlock kShape = super_block(LENSOR_Q3_K);
  uint8_t codes[kColumns], rounded[16] = {};
  float scales[16], sums[16], d = 0;
  if (importance) {
    const float spread = 2 * mean_square(kColumns, x);
    for (int g = 0; g < 16; g++) {
      float weights[16];
      for (int i = 0; i < 16; i++) {
        const float v = x[16 * g + i];
        weights[i] = importance[16 * g + i] * std::sqrt(spread + v * v);
      }
      sums[g] = total(16, weights);
      scales[g] = fit_signed(16, 4, x + 16 * g, weights, codes + 16 * g);
    }
    d = fit_signed(16, 32, scales, sums, rounded);
  } else {
    for (int g = 0; g < 16; g++) scales[g] = fit_by_turns(16, 4, x + 16 * g, codes + 16 * g);
    const float peak = extreme(16, scales);
    if (peak != 0) {
      const float inverse = -32.0f / peak;
      for (int g = 0; g < 16; g++)
        rounded[g] = static_cast<uint8_t>(within(nearest(inverse * scales[g]), -32, 31) + 32);
      d = 1 / inverse;
    }
  }
  d = put_half(block + kShape.scale, d);
  for (int g = 0; g < 16; g++) {
    put_six(LENSOR_Q3_K, block + kShape.scales, g, rounded[g]);
    const float own = d * static_cast<float>(rounded[g] - 32);
    for (int i = 16 * g; i < 16 * g + 16 && own != 0; i++)
      codes[i] = static_cast<uint8_t>(within(nearest(x[i] / own), -4, 3) + 4);
  }
  put_codes(kShape, codes, block);
}

// Q2_K, Q4_K, Q5_K: scales and minima of groups, of 4 or 6 bits each.
struct Above {
  int size, most, top; // columns of a group, its largest code, the largest code of its scale
  Tries tries;         // where there is no importance
};
constexpr Above above_of(int32_t dtype) {
  switch (dtype) {
  case LENSOR_Q2_K:
    return {16, 3, 15, {-0.5f, 0.1f, 15, true}};
  case LENSOR_Q4_K:
    return {32, 15, 63, {-1.0f, 0.1f, 20, false}};
  default:
    return {32, 31, 63, {-0.5f, 0.1f, 15, false}};
  }
}
constexpr Tries kWeighed{-0.9f, 0.05f, 36, false};

// Numbers above 0 in units of the largest over `top`. Gives that unit.
float round_to_largest(int n, int top, const float* x, uint8_t* codes) {
  float high = 0;
  for (int i = 0; i < n; i++)
    if (x[i] > high) high = x[i];
  const auto most = static_cast<float>(top);
  const float inverse = high > 0 ? most / high : 0;
  for (int i = 0; i < n; i++) {
    const auto code = static_cast<uint8_t>(nearest(inverse * x[i]));
    codes[i] = code < top ? code : static_cast<uint8_t>(top);
  }
  return high / most;
}

void encode_above(int32_t dtype, const float* x, const float* importance, uint8_t* block) {
  const SuperBlock shape = super_block(dtype);
  const Above how = above_of(dtype);
  const int size = how.size, groups = kColumns / size;
  uint8_t codes[kColumns], scale_codes[kMostGroups], minimum_codes[kMostGroups];
  float scales[kMostGroups], minima[kMostGroups], sums[kMostGroups];
  const bool two = dtype == LENSOR_Q2_K;
  const float spread = importance ? (two ? 1 : 2) * mean_square(kColumns, x) : 0;
  for (int g = 0; g < groups; g++) {
    const float* own = x + size * g;
    float weights[kFitted];
    const float typical = importance || two ? 0 : std::sqrt(mean_square(size, own));
    for (int i = 0; i < size; i++)
      weights[i] = importance ? importance[size * g + i] * std::sqrt(spread + own[i] * own[i])
                              : typical + std::fabs(own[i]);
    sums[g] = total(size, weights);
    scales[g] = fit_above(size, how.most, own, weights, importance ? kWeighed : how.tries, codes + size * g,
                          minima + g);
  }
  float d, m;
  if (importance) {
    d = fit_positive(groups, how.top, scales, sums, scale_codes);
    m = fit_positive(groups, how.top, minima, sums, minimum_codes);
  } else {
    d = round_to_largest(groups, how.top, scales, scale_codes);
    m = round_to_largest(groups, how.top, minima, minimum_codes);
  }
  d = put_half(block + shape.scale, d);
  m = put_half(block + shape.minimum, m);
  for (int g = 0; g < groups; g++) {
    const uint8_t scale = scale_codes[g], minimum = minimum_codes[g];
    if (two) {
      block[shape.scales + g] = static_cast<uint8_t>(scale | minimum << 4);
    } else {
      put_six(dtype, block + shape.scales, 2 * g, scale);
      put_six(dtype, block + shape.scales, 2 * g + 1, minimum);
    }
    const float own = d * static_cast<float>(scale), least = m * static_cast<float>(minimum);
    for (int i = size * g; i < size * (g + 1) && own != 0; i++)
      codes[i] = static_cast<uint8_t>(within(nearest((x[i] + least) / own), 0, how.most));
  }
  put_codes(shape, codes, block);
}

} // namespace

void encode_super(int32_t dtype, const float* x, const float* importance, uint8_t* block) {
  std::memset(block, 0, static_cast<size_t>(super_block(dtype).bytes));
  if (dtype == LENSOR_Q6_K)
    encode_six(x, importance, block);
  else if (dtype == LENSOR_Q3_K)
    encode_three(x, importance, block);
  else
    encode_above(dtype, x, importance, block);
}

} // namespace lensor
