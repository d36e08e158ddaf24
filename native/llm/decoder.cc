#include "decoder.h"
#include "../quant/panel.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace lensor {

namespace {

constexpr int64_t kChunk =
    256; // tokens that go through a layer together: enough to share each weight's unpacking

} // namespace

Progress& progress() {
  static Progress one;
  return one;
}

// The activations of one chunk, one block of memory.
struct Decoder::Chunk {
  // Without layers, what the final norm and the head need.
  Chunk(const ModelSpec& spec, int64_t rows, bool layers = true)
      : rows(rows), q_width(int64_t(spec.heads) * spec.head_width),
        kv_width(int64_t(spec.kv_heads) * spec.head_width) {
    const int64_t width = spec.width, wide = layers ? std::max(width, q_width) : width,
                  ff = layers ? spec.feed_forward : 0, half = spec.head_width / 2, some = layers ? rows : 0;
    std::vector<std::pair<void**, int64_t>> parts; // and bytes
    const auto floats = [&](float*& at, int64_t count) {
      parts.emplace_back(reinterpret_cast<void**>(&at), count * sizeof(float));
    };
    // All forms at once: matrices that read the same activations may be of different types.
    const auto forms = [&](lensor_activations& a, int64_t cols, int64_t rows) {
      parts.emplace_back(reinterpret_cast<void**>(&a.q8), rows * cols);
      parts.emplace_back(reinterpret_cast<void**>(&a.q16), rows * cols * sizeof(int16_t));
      for (float** at : {&a.scale8, &a.part8}) floats(*at, rows * (cols / 16 + 1));
      for (float** at : {&a.total8, &a.scale16}) floats(*at, rows * (cols / LENSOR_BLOCK + 1));
    };
    for (float** at : {&stream, &norm}) floats(*at, rows * width);
    for (float** at : {&q, &mix}) floats(*at, some * q_width);
    for (float** at : {&k, &v}) floats(*at, some * kv_width);
    for (float** at : {&gate, &up}) floats(*at, some * ff);
    for (float** at : {&cos, &sin}) floats(*at, some * half);
    forms(rounded, wide, rows);
    forms(gated, ff, some);
    size_t total = 0;
    for (const auto& part : parts) total += (part.second + 63) / 64 * 64;
    memory = Block(total);
    char* at = memory.as<char>();
    for (const auto& [pointer, bytes] : parts) {
      *pointer = at;
      at += (bytes + 63) / 64 * 64;
    }
  }

  int64_t rows, q_width, kv_width;
  Block memory;
  float *stream, *norm, *q, *k, *v, *mix, *gate, *up, *cos, *sin;
  lensor_activations rounded{}, gated{};
};

lensor_status Decoder::run(Cache& cache, const int32_t* ids, int64_t count, const Rows& rows,
                           const Trace* trace, float* logits) {
  const ModelSpec& spec = model_.spec;
  const int64_t start = cache.length();
  progress().done = 0, progress().total = count * spec.layers;
  lensor_status status = LENSOR_OK;
  try {
    for (int64_t first = 0; first < count && !status; first += kChunk) {
      const int64_t some = std::min(kChunk, count - first), at = start + first;
      Chunk c(spec, some);
      cache.reserve(at + some);
      for (int64_t t = 0; t < some; t++)
        ops_->weight_row(&model_.embedding.view, ids[first + t], c.stream + t * spec.width);
      cache.rope().turns(at, some, c.cos, c.sin);
      status = layers(c, cache, at, first, count, trace, first + some == count ? logits : nullptr);
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

lensor_status Decoder::layers(Chunk& c, Cache& cache, int64_t at, int64_t first, int64_t total,
                              const Trace* trace, float* logits) {
  const ModelSpec& spec = model_.spec;
  const std::vector<int64_t> counts(spec.kv_heads, at + c.rows);
  std::vector<lensor_layer> list;
  for (int32_t i = 0; i < spec.layers; i++) {
    const Layer& layer = model_.layers[i];
    list.push_back({layer.attention_norm.data(), layer.feed_forward_norm.data(), &layer.query.view,
                    &layer.key.view, &layer.value.view, &layer.output.view, &layer.gate.view, &layer.up.view,
                    &layer.down.view, cache.keys(i), cache.values(i)});
  }
  lensor_pass pass{};
  pass.heads = spec.heads, pass.kv_heads = spec.kv_heads, pass.head_width = spec.head_width;
  pass.kv_dtype = cache.shape().dtype;
  pass.width = spec.width, pass.feed_forward = spec.feed_forward, pass.epsilon = spec.norm_epsilon;
  pass.fast = fast_, pass.rows = c.rows, pass.at = at, pass.key_count = counts.data();
  pass.cos = c.cos, pass.sin = c.sin, pass.stream = c.stream;
  pass.norm = c.norm, pass.q = c.q, pass.k = c.k, pass.v = c.v, pass.mix = c.mix;
  pass.gate = c.gate, pass.up = c.up, pass.rounded = c.rounded, pass.gated = c.gated;
  pass.final_norm = model_.final_norm.data(), pass.head = &model_.head_view();
  // One token goes through all layers at once; many stop between layers, to tell how far they are.
  const int32_t step = c.rows == 1 && !trace ? spec.layers : 1;
  for (int32_t i = 0; i < spec.layers; i += step) {
    pass.layers = &list[i], pass.count = step;
    pass.logits = i + step == spec.layers ? logits : nullptr;
    if (trace) keep_stream(c, *trace, i, first, total);
    if (const auto status = ops_->layers(context_, &pass)) return status;
    if (trace) keep_heads(c, *trace, i, first, total);
    progress().done += step * c.rows;
  }
  if (trace) keep_stream(c, *trace, spec.layers, first, total);
  return LENSOR_OK;
}

void Decoder::keep_stream(const Chunk& c, const Trace& trace, int64_t layer, int64_t first, int64_t total) {
  const int64_t width = model_.spec.width;
  std::memcpy(trace.residual + (layer * total + first) * width, c.stream, c.rows * width * sizeof(float));
}

void Decoder::keep_heads(const Chunk& c, const Trace& trace, int64_t layer, int64_t first, int64_t total) {
  const int64_t d = model_.spec.head_width;
  std::memcpy(trace.head + (layer * total + first) * c.q_width, c.mix, c.rows * c.q_width * sizeof(float));
  const auto keep = [&](float* to, const float* from, int32_t heads) {
    for (int32_t h = 0; h < heads; h++)
      for (int64_t t = 0; t < c.rows; t++)
        std::memcpy(to + ((layer * heads + h) * total + first + t) * d, from + (t * heads + h) * d,
                    d * sizeof(float));
  };
  keep(trace.query, c.q, model_.spec.heads);
  keep(trace.key, c.k, model_.spec.kv_heads);
}

lensor_status Decoder::logits(const float* stream, int64_t rows, float* out) {
  const ModelSpec& spec = model_.spec;
  const lensor_weight& head = model_.head_view();
  Chunk c(spec, rows, false);
  lensor_activations a{};
  a.rows = rows, a.cols = spec.width, a.f32 = c.norm;
  lensor_status status =
      ops_->rms_norm(context_, stream, model_.final_norm.data(), spec.norm_epsilon, rows, spec.width, c.norm);
  if (!status && fast_ && is_quantized(head.dtype)) {
    if (head.dtype == LENSOR_Q8_0)
      a.q16 = c.rounded.q16, a.scale16 = c.rounded.scale16;
    else
      a.q8 = c.rounded.q8, a.scale8 = c.rounded.scale8, a.part8 = c.rounded.part8,
      a.total8 = c.rounded.total8;
    status = ops_->quantize(context_, &a);
  }
  const lensor_linear job{&head, out, spec.vocabulary, 0};
  return status ? status : ops_->linear(context_, &a, &job, 1);
}

} // namespace lensor
