// f16 from f32 and back in plain integer arithmetic, the same on every machine: to the nearest, even where
// two are as near; past 65,504 infinity.
#pragma once
#include <bit>
#include <cstdint>

namespace lensor {

inline uint16_t to_half(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
  if (size > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
  if (size >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);
  // Below the least normal one: a half's last digit there is that of numbers next to 0.5.
  if (size < 0x38800000)
    return static_cast<uint16_t>(sign |
                                 (std::bit_cast<uint32_t>(std::bit_cast<float>(size) + 0.5f) - 0x3f000000));
  const uint32_t rounded = size + 0xfff + (size >> 13 & 1);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

inline float from_half(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, size = half & 0x7fffu;
  if (size >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (size & 0x3ff) << 13);
  if (size >= 0x400) return std::bit_cast<float>(sign | ((size << 13) + 0x38000000));
  const float small = std::bit_cast<float>(size + 0x3f000000) - 0.5f; // exact
  return sign ? -small : small;
}

} // namespace lensor
