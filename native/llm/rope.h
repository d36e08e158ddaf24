// The turns of rotary position embedding that a cache's keys are made with. lib/model/rope.ts computes the
// frequencies, scaled or not; a cache keeps one set from its first token on, so all its keys fit each other.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

namespace lensor {

struct Rope {
  std::vector<float> frequencies; // [head_width / 2]: radians a token
  float attention_factor = 1;     // on cosine and sine: on each of q and k

  // cos, sin [rows, head_width / 2] of positions at, at + 1, ...
  void turns(int64_t at, int64_t rows, float* cos, float* sin) const {
    for (int64_t t = 0; t < rows; t++)
      for (const float frequency : frequencies) {
        // Rounded to f32 where transformers rounds: the angle of a late position feels it.
        const float angle = static_cast<float>(at + t) * frequency;
        *cos++ = std::cos(angle) * attention_factor;
        *sin++ = std::sin(angle) * attention_factor;
      }
  }
};

} // namespace lensor
