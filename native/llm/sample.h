// Draws the next token from a row of logits. Pure: the same logits, options and position give the same token.
#pragma once
#include "../include/lensor_abi.h"
#include <cstdint>
#include <vector>

namespace lensor {

struct SamplerSpec {
  float temperature = 0;      // 0: the best token, ties to the lower id
  int32_t top_k = 0;          // 0: all
  float top_p = 1, min_p = 0; // of the distribution after temperature
  float repetition_penalty =
      1; // on the logits of `seen` (Keskar et al. 2019): divided where positive, else multiplied
  uint64_t seed = 0;
  std::vector<int32_t> seen;
};

// `position` selects the random number: a text's n-th draw does not depend on how the calls were cut.
// May reorder nothing in `logits` but applies the penalty in place.
int32_t sample(const lensor_ops*, float* logits, int64_t vocabulary, const SamplerSpec&, uint64_t position);

} // namespace lensor
