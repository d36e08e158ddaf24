#include "decoder.h"
#include "../quant/panel.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace lensor {

namespace {

constexpr int64_t kChunk =
    256; // tokens that go through a layer together: enough to share each weight's unpacking

lensor_status first_error(std::initializer_list<lensor_status> all) {
  for (lensor_status status : all)
    if (status != LENSOR_OK) return status;
  return LENSOR_OK;
}

} // namespace

Progress& progress() {
  static Progress one;
  return one;
}

// The activations of one chunk, one block of memory.
struct Decoder::Chunk {
  Chunk(const ModelSpec& spec, int64_t rows)
      : rows(rows), q_width(int64_t(spec.heads) * spec.head_width),
        kv_width(int64_t(spec.kv_heads) * spec.head_width),
        widest(std::max<int64_t>({spec.width, q_width, spec.feed_forward})) {
    const int64_t half = spec.head_width / 2;
    const int64_t floats[] = {rows * spec.width,
                              rows * spec.width,
                              rows * q_width,
                              rows * kv_width,
                              rows * kv_width,
                              rows * q_width,
                              rows * spec.feed_forward,
                              rows * spec.feed_forward,
                              rows * half,
                              rows * half,
                              (rows * widest + 3) / 4,
                              rows * (widest / 16 + 1),
                              rows * (widest / 32 + 1),
                              (rows * widest + 1) / 2,
                              rows * (widest / 32 + 1)};
    int64_t total = 0;
    for (int64_t count : floats) total += (count + 15) / 16 * 16;
    memory = Block(total * sizeof(float));
    float* at = memory.as<float>();
    float** const parts[] = {&stream, &norm, &q, &k, &v, &mix, &gate, &up, &cos, &sin};
    int i = 0;
    const auto next = [&] {
      float* here = at;
      at += (floats[i++] + 15) / 16 * 16;
      return here;
    };
    for (float** part : parts) *part = next();
    // Both forms at once: matrices that read the same activations may be of different types.
    q8 = reinterpret_cast<int8_t*>(next());
    scale8 = next();
    total8 = next();
    q16 = reinterpret_cast<int16_t*>(next());
    scale16 = next();
  }

  int64_t rows, q_width, kv_width, widest;
  Block memory;
  float *stream, *norm, *q, *k, *v, *mix, *gate, *up, *cos, *sin, *scale8, *total8, *scale16;
  int8_t* q8;
  int16_t* q16;
};

lensor_status Decoder::linear(Chunk& c, const float* x, int64_t cols,
                              std::initializer_list<lensor_linear> jobs) {
  lensor_activations a{};
  a.rows = c.rows, a.cols = cols, a.f32 = x;
  bool rounded = false;
  for (const auto& job : jobs) {
    const int32_t dtype = job.weight->dtype;
    if (!fast_ || !is_quantized(dtype)) continue;
    rounded = true;
    if (dtype == LENSOR_Q8_0)
      a.q16 = c.q16, a.scale16 = c.scale16;
    else
      a.q8 = c.q8, a.scale8 = c.scale8, a.total8 = c.total8;
  }
  if (rounded)
    if (const auto status = ops_->quantize(context_, &a)) return status;
  return ops_->linear(context_, &a, jobs.begin(), static_cast<int32_t>(jobs.size()));
}

lensor_status Decoder::run(Cache& cache, const int32_t* ids, int64_t count, const Rows& rows,
                           const Trace* trace) {
  const ModelSpec& spec = model_.spec;
  const int64_t start = cache.length(), half = spec.head_width / 2;
  progress().done = 0, progress().total = count * spec.layers;
  lensor_status status = LENSOR_OK;
  try {
    for (int64_t first = 0; first < count && !status; first += kChunk) {
      const int64_t some = std::min(kChunk, count - first), at = start + first;
      Chunk c(spec, some);
      cache.reserve(at + some);
      for (int64_t t = 0; t < some; t++) {
        ops_->weight_row(&model_.embedding.view, ids[first + t], c.stream + t * spec.width);
        for (int64_t i = 0; i < half; i++) {
          // Rounded to f32 where transformers rounds: the angle of a late position feels it.
          const float frequency =
              1.0f / std::pow(spec.rope_theta, static_cast<float>(2 * i) / spec.head_width);
          const float angle = static_cast<float>(at + t) * frequency;
          c.cos[t * half + i] = std::cos(angle);
          c.sin[t * half + i] = std::sin(angle);
        }
      }
      for (int32_t i = 0; i < spec.layers && !status; i++) {
        status = layer(c, i, cache, at, first, count, trace);
        progress().done += some;
      }
      if (!status && trace)
        std::memcpy(trace->residual + (int64_t(spec.layers) * count + first) * spec.width, c.stream,
                    some * spec.width * sizeof(float));
      if (!status && rows) status = rows(c.stream, first, some);
      if (!status) cache.set_length(at + some);
    }
  } catch (...) {
    progress().total = 0;
    cache.set_length(start);
    throw;
  }
  progress().total = 0;
  if (status) cache.set_length(start);
  return status;
}

lensor_status Decoder::layer(Chunk& c, int32_t index, Cache& cache, int64_t at, int64_t first, int64_t total,
                             const Trace* trace) {
  if (context_->interrupted(context_)) return LENSOR_INTERRUPTED;
  const ModelSpec& spec = model_.spec;
  const Layer& layer = model_.layers[index];
  const int64_t n = c.rows, width = spec.width, d = spec.head_width;
  const int32_t half = spec.head_width;
  if (trace)
    std::memcpy(trace->residual + (index * total + first) * width, c.stream, n * width * sizeof(float));

  lensor_status status = first_error({
      ops_->rms_norm(context_, c.stream, layer.attention_norm.data(), spec.norm_epsilon, n, width, c.norm),
      linear(c, c.norm, width,
             {{&layer.query.view, c.q, c.q_width, 0},
              {&layer.key.view, c.k, c.kv_width, 0},
              {&layer.value.view, c.v, c.kv_width, 0}}),
      ops_->rope(context_, c.q, n, c.q_width, spec.heads, half, c.cos, c.sin),
      ops_->rope(context_, c.k, n, c.kv_width, spec.kv_heads, half, c.cos, c.sin),
  });
  if (status) return status;
  int64_t counts[1 << 10];
  for (int32_t h = 0; h < spec.kv_heads; h++) {
    counts[h] = at + n;
    ops_->kv_write(context_, cache.shape().dtype, c.k + h * d, c.v + h * d, c.kv_width, n, half, at,
                   cache.keys_of(index, h), cache.values_of(index, h));
  }
  const lensor_attention attention{spec.heads,
                                   spec.kv_heads,
                                   half,
                                   n,
                                   c.q,
                                   c.q_width,
                                   cache.keys(index),
                                   cache.values(index),
                                   counts,
                                   nullptr,
                                   cache.shape().dtype,
                                   1.0f / std::sqrt(static_cast<float>(d)),
                                   c.mix,
                                   c.q_width,
                                   nullptr};
  if ((status = ops_->attention(context_, &attention))) return status;
  if (trace) {
    std::memcpy(trace->head + (index * total + first) * c.q_width, c.mix, n * c.q_width * sizeof(float));
    const auto keep = [&](float* to, const float* from, int32_t heads) {
      for (int32_t h = 0; h < heads; h++)
        for (int64_t t = 0; t < n; t++)
          std::memcpy(to + ((int64_t(index) * heads + h) * total + first + t) * d, from + (t * heads + h) * d,
                      d * sizeof(float));
    };
    keep(trace->query, c.q, spec.heads);
    keep(trace->key, c.k, spec.kv_heads);
  }
  return first_error({
      linear(c, c.mix, c.q_width, {{&layer.output.view, c.stream, width, 1}}),
      ops_->rms_norm(context_, c.stream, layer.feed_forward_norm.data(), spec.norm_epsilon, n, width, c.norm),
      linear(
          c, c.norm, width,
          {{&layer.gate.view, c.gate, spec.feed_forward, 0}, {&layer.up.view, c.up, spec.feed_forward, 0}}),
      ops_->silu_mul(context_, c.gate, c.up, n * spec.feed_forward),
      linear(c, c.gate, spec.feed_forward, {{&layer.down.view, c.stream, width, 1}}),
  });
}

lensor_status Decoder::logits(const float* stream, int64_t rows, float* out) {
  const ModelSpec& spec = model_.spec;
  Chunk c(spec, rows);
  return first_error({
      ops_->rms_norm(context_, stream, model_.final_norm.data(), spec.norm_epsilon, rows, spec.width, c.norm),
      linear(c, c.norm, spec.width, {{&model_.head_view(), out, spec.vocabulary, 0}}),
  });
}

} // namespace lensor
