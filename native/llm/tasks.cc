#include "tasks.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace lensor {

namespace {

// Rows of logits that stand in memory at once where only something small is wanted of each.
constexpr int64_t kRows = 64;

// Calls `body(row)` for each of `rows` on all threads.
template <typename F> void each(lensor_context* context, int64_t rows, F& body) {
  context->parallel(
      context, rows, 1,
      [](void* arg, int64_t begin, int64_t end, int32_t) {
        for (int64_t row = begin; row < end; row++) (*static_cast<F*>(arg))(row);
      },
      &body);
}

} // namespace

lensor_status forward(lensor_context* context, const lensor_ops* ops, const Model& model, Cache& cache,
                      const int32_t* ids, int64_t count, bool fast, float* logits, const Trace* trace,
                      const Sampled* sampled) {
  Decoder decoder(context, ops, model, fast);
  const int64_t vocabulary = model.spec.vocabulary;
  const auto rows = [&](const float* stream, int64_t first, int64_t some) {
    return decoder.logits(stream, some, logits + first * vocabulary);
  };
  return decoder.run(cache, ids, count, logits ? Decoder::Rows(rows) : Decoder::Rows(), trace, nullptr,
                     sampled);
}

lensor_status score(lensor_context* context, const lensor_ops* ops, const Model& model, Cache& cache,
                    const int32_t* ids, int64_t count, bool fast, float* logprobs) {
  Decoder decoder(context, ops, model, fast);
  const int64_t vocabulary = model.spec.vocabulary, width = model.spec.width;
  Block logits(kRows * vocabulary * sizeof(float));
  const auto rows = [&](const float* stream, int64_t first, int64_t some) {
    for (int64_t r = 0; r < some; r += kRows) {
      const int64_t n = std::min(kRows, some - r);
      if (const auto status = decoder.logits(stream + r * width, n, logits.as<float>())) return status;
      auto one = [&](int64_t row) {
        const int64_t at = first + r + row;
        if (at + 1 >= count) return;
        const float* own = logits.as<float>() + row * vocabulary;
        logprobs[at] = own[ids[at + 1]] - ops->log_sum_exp(own, vocabulary);
      };
      each(context, n, one);
    }
    return LENSOR_OK;
  };
  return decoder.run(cache, ids, count, rows);
}

lensor_status decode(lensor_context* context, const lensor_ops* ops, const Model& model, Cache& cache,
                     const int32_t* ids, int64_t count, bool fast, SamplerSpec& sampler, uint64_t drawn,
                     const std::vector<int32_t>& ends, int64_t most, Drawn& out) {
  Decoder decoder(context, ops, model, fast);
  const int64_t vocabulary = model.spec.vocabulary, start = cache.length();
  Block logits(vocabulary * sizeof(float));
  float* row = logits.as<float>();
  const int32_t* next = ids;
  int32_t token = 0;
  for (int64_t i = 0; i < most; i++) {
    const int64_t many = i == 0 ? count : 1;
    if (const auto status = decoder.run(cache, next, many, nullptr, nullptr, row)) {
      cache.set_length(start);
      return status;
    }
    const float total = ops->log_sum_exp(row, vocabulary);
    if (!std::isfinite(total)) {
      cache.set_length(start);
      throw std::runtime_error("the model's logits are not finite numbers: its weights are damaged, or too "
                               "large for 32-bit floats");
    }
    // The penalty changes logits in place; a log-probability is told of the model's own.
    std::vector<float> own(sampler.repetition_penalty == 1 ? 0 : vocabulary);
    if (!own.empty()) std::memcpy(own.data(), row, vocabulary * sizeof(float));
    token = sample(row, vocabulary, sampler, drawn + i);
    out.tokens.push_back(token);
    out.logprobs.push_back(std::min(0.0f, (own.empty() ? row : own.data())[token] - total));
    sampler.seen.push_back(token);
    next = &token;
    if (std::find(ends.begin(), ends.end(), token) != ends.end()) break;
  }
  return LENSOR_OK;
}

lensor_status lens(lensor_context* context, const lensor_ops* ops, const Model& model, const float* stream,
                   int64_t rows, int64_t k, float* probabilities, int64_t* ids) {
  Decoder decoder(context, ops, model, false);
  const int64_t vocabulary = model.spec.vocabulary, width = model.spec.width;
  Block logits(std::min(kRows, rows) * vocabulary * sizeof(float));
  for (int64_t first = 0; first < rows; first += kRows) {
    if (context->interrupted(context)) return LENSOR_INTERRUPTED;
    const int64_t n = std::min(kRows, rows - first);
    if (const auto status = decoder.logits(stream + first * width, n, logits.as<float>())) return status;
    auto one = [&](int64_t row) {
      const float* own = logits.as<float>() + row * vocabulary;
      const float total = ops->log_sum_exp(own, vocabulary);
      const auto before = [own](int64_t a, int64_t b) { return own[a] != own[b] ? own[a] > own[b] : a < b; };
      // The best so far, sorted: k is small beside the vocabulary.
      std::vector<int64_t> best;
      for (int64_t i = 0; i < vocabulary; i++) {
        if (static_cast<int64_t>(best.size()) == k && !before(i, best.back())) continue;
        best.insert(std::upper_bound(best.begin(), best.end(), i, before), i);
        if (static_cast<int64_t>(best.size()) > k) best.pop_back();
      }
      for (int64_t i = 0; i < k; i++) {
        ids[(first + row) * k + i] = best[i];
        probabilities[(first + row) * k + i] = std::exp(own[best[i]] - total);
      }
    };
    each(context, n, one);
  }
  return LENSOR_OK;
}

} // namespace lensor
