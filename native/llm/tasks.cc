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

static void draw(const lensor_ops* ops, float* logits, int64_t vocabulary, SamplerSpec& sampler,
                 uint64_t position, Drawn& out) {
  const float total = ops->log_sum_exp(logits, vocabulary);
  if (!std::isfinite(total))
    throw std::runtime_error("the model's logits are not finite numbers: its weights are damaged, or too "
                             "large for 32-bit floats");
  // The penalty changes logits in place; a log-probability is told of the model's own.
  std::vector<float> own(sampler.repetition_penalty == 1 ? 0 : vocabulary);
  if (!own.empty()) std::memcpy(own.data(), logits, vocabulary * sizeof(float));
  const int32_t token = sample(ops, logits, vocabulary, sampler, position);
  out.tokens.push_back(token);
  out.logprobs.push_back(std::min(0.0f, (own.empty() ? logits : own.data())[token] - total));
  sampler.seen.push_back(token);
}

lensor_status decode(lensor_context* context, const lensor_ops* ops, const Model& model, Cache& cache,
                     const int32_t* ids, int64_t count, bool fast, SamplerSpec& sampler, uint64_t drawn,
                     const std::vector<int32_t>& ends, int64_t most, Drawn& out) {
  Decoder decoder(context, ops, model, fast);
  const int64_t vocabulary = model.spec.vocabulary, start = cache.length();
  Block logits(vocabulary * sizeof(float));
  const int32_t* next = ids;
  int32_t token = 0;
  for (int64_t i = 0; i < most; i++) {
    const int64_t many = i == 0 ? count : 1;
    if (const auto status = decoder.run(cache, next, many, nullptr, nullptr, logits.as<float>())) {
      cache.set_length(start);
      return status;
    }
    try {
      draw(ops, logits.as<float>(), vocabulary, sampler, drawn + i, out);
    } catch (...) {
      cache.set_length(start);
      throw;
    }
    token = out.tokens.back();
    next = &token;
    if (std::find(ends.begin(), ends.end(), token) != ends.end()) break;
  }
  return LENSOR_OK;
}

lensor_status decode_together(lensor_context* context, const lensor_ops* ops, const Model& model,
                              std::vector<Voice>& voices, bool fast, const std::vector<int32_t>& ends,
                              int64_t most) {
  Decoder decoder(context, ops, model, fast);
  const int64_t vocabulary = model.spec.vocabulary;
  Block logits(voices.size() * vocabulary * sizeof(float));
  std::vector<int64_t> starts;
  for (const Voice& one : voices) starts.push_back(one.cache->length());
  const auto back = [&] {
    for (size_t i = 0; i < voices.size(); i++) voices[i].cache->set_length(starts[i]);
  };
  std::vector<Voice*> going;
  for (Voice& one : voices) going.push_back(&one);
  try {
    for (int64_t i = 0; i < most && !going.empty(); i++) {
      std::vector<Cache*> caches;
      std::vector<const Adapters*> adapters;
      std::vector<int32_t> ids;
      for (const Voice* one : going)
        caches.push_back(one->cache), adapters.push_back(one->adapters), ids.push_back(one->token);
      const auto count = static_cast<int64_t>(going.size());
      if (const auto status =
              decoder.step(caches.data(), ids.data(), adapters.data(), count, logits.as<float>())) {
        back();
        return status;
      }
      // A thread must not throw: what went wrong is told by the first that has drawn nothing.
      auto one = [&](int64_t row) {
        Voice& voice = *going[row];
        try {
          draw(ops, logits.as<float>() + row * vocabulary, vocabulary, voice.sampler, voice.drawn + i,
               voice.out);
        } catch (...) {
          voice.failed = std::current_exception();
        }
      };
      each(context, count, one);
      std::vector<Voice*> left;
      for (Voice* voice : going) {
        if (voice->failed) std::rethrow_exception(voice->failed);
        // Stopped while rows were drawn: some have none.
        if (static_cast<int64_t>(voice->out.tokens.size()) <= i) {
          back();
          return LENSOR_INTERRUPTED;
        }
        voice->token = voice->out.tokens.back();
        if (std::find(ends.begin(), ends.end(), voice->token) == ends.end()) left.push_back(voice);
      }
      going = std::move(left);
    }
  } catch (...) {
    back();
    throw;
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
