// What a model is asked to do, one function a request: forward, score, decode, lens. Each runs to its end on
// the executor's thread with memory that the caller took. Shapes and meanings: lib/native.ts.
#pragma once
#include "decoder.h"
#include "sample.h"
#include <exception>

namespace lensor {

// `logits` is null or [count, vocabulary].
lensor_status forward(lensor_context*, const lensor_ops*, const Model&, Cache&, const int32_t* ids,
                      int64_t count, bool fast, float* logits, const Trace*, const Sampled* = nullptr);
// logprobs [count - 1].
lensor_status score(lensor_context*, const lensor_ops*, const Model&, Cache&, const int32_t* ids,
                    int64_t count, bool fast, float* logprobs);

struct Drawn {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs; // of the model's own distribution: before temperature and penalty
};
// Reads `ids`, then draws up to `most` tokens and stops at one of `ends`; the last drawn is not read.
// `sampler.seen` grows.
lensor_status decode(lensor_context*, const lensor_ops*, const Model&, Cache&, const int32_t* ids,
                     int64_t count, bool fast, SamplerSpec& sampler, uint64_t drawn,
                     const std::vector<int32_t>& ends, int64_t most, Drawn& out);

// One of several texts that are continued together.
struct Voice {
  Cache* cache;
  const Adapters* adapters; // beside the model's weights
  int32_t token;            // the next to be read
  SamplerSpec sampler;
  uint64_t drawn = 0; // before: says which random number is next
  Drawn out;
  std::exception_ptr failed;
};
// Draws up to `most` tokens of each, as decode would of that one alone, to the bit; one that has come to one
// of `ends` is done. The last drawn of each is not read.
lensor_status decode_together(lensor_context*, const lensor_ops*, const Model&, std::vector<Voice>&,
                              bool fast, const std::vector<int32_t>& ends, int64_t most);

// probabilities and token ids, each [rows, k].
lensor_status lens(lensor_context*, const lensor_ops*, const Model&, const float* stream, int64_t rows,
                   int64_t k, float* probabilities, int64_t* ids);

} // namespace lensor
