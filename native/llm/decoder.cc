#include "decoder.h"
#include "../quant/panel.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace lensor {

namespace {

constexpr int64_t kChunk =
    256; // tokens that go through a layer together: enough to share each weight's unpacking

} // namespace

Progress& progress() {
  static Progress one;
  return one;
}

Decoder::Decoder(lensor_context* context, const lensor_ops* ops, const Model& model, bool fast)
    : context_(context), ops_(ops), model_(model), fast_(fast) {
  const ExpertsSpec& e = model.spec.experts;
  if (!e.count) return;
  for (const Layer& layer : model.layers)
    experts_.push_back({e.count, e.chosen, e.sigmoid, e.normalized, e.scale, &layer.router.view,
                        layer.router_bias.empty() ? nullptr : layer.router_bias.data(),
                        e.shared ? &layer.shared_gate.view : nullptr,
                        e.shared ? &layer.shared_up.view : nullptr,
                        e.shared ? &layer.shared_down.view : nullptr});
}

// The activations of one chunk, one block of memory.
struct Decoder::Chunk {
  // Without layers, what the final norm and the head need.
  Chunk(const ModelSpec& spec, int64_t rows, int64_t inner_width, int64_t middle_width, bool layers = true)
      : rows(rows), inner_width(inner_width), middle_width(middle_width),
        q_width(int64_t(spec.heads) * spec.head_width), kv_width(int64_t(spec.kv_heads) * spec.head_width) {
    const ExpertsSpec& e = spec.experts;
    const int64_t width = spec.width, wide = layers ? std::max(width, q_width) : width,
                  half = spec.head_width / 2, some = layers ? rows : 0,
                  choices = e.count ? some * e.chosen : 0;
    // Inside the MLP: rows of it, or of the experts that were chosen and of those that are shared.
    const int64_t ff = std::max<int64_t>(spec.feed_forward, spec.shared_width()),
                  inside = e.count ? std::max(choices, some) : some;
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
    for (float** at : {&gate, &up}) floats(*at, inside * ff);
    if (choices) {
      lensor_experts_memory& m = experts;
      floats(m.logits, some * e.count), floats(m.gates, choices);
      for (int32_t** at : {&m.experts, &m.rows})
        parts.emplace_back(reinterpret_cast<void**>(at), choices * sizeof(int32_t));
      parts.emplace_back(reinterpret_cast<void**>(&m.first), (e.count + 1) * sizeof(int32_t));
      for (float** at : {&m.gathered, &m.mixed}) floats(*at, choices * width);
      forms(m.rounded, width, choices);
    }
    for (float** at : {&cos, &sin}) floats(*at, some * half);
    floats(inner, some * 3 * inner_width);
    floats(middle, some * 3 * middle_width);
    forms(rounded, wide, rows);
    forms(gated, ff, inside);
    size_t total = 0;
    for (const auto& part : parts) total += (part.second + 63) / 64 * 64;
    memory = Block(total);
    char* at = memory.as<char>();
    for (const auto& [pointer, bytes] : parts) {
      *pointer = at;
      at += (bytes + 63) / 64 * 64;
    }
  }

  int64_t rows, inner_width, middle_width, q_width, kv_width;
  Block memory;
  float *stream, *norm, *q, *k, *v, *mix, *gate, *up, *cos, *sin, *inner, *middle;
  lensor_activations rounded{}, gated{};
  lensor_experts_memory experts{};
};

// What a pass is asked for beside the stream.
struct Decoder::Wishes {
  const Trace* trace;
  const Sampled* sampled;
  float* logits;
};

lensor_pass Decoder::pass_of(Chunk& c) const {
  const ModelSpec& spec = model_.spec;
  lensor_pass pass{};
  pass.heads = spec.heads, pass.kv_heads = spec.kv_heads, pass.head_width = spec.head_width;
  pass.width = spec.width, pass.feed_forward = spec.feed_forward, pass.epsilon = spec.norm_epsilon;
  pass.fast = fast_, pass.rows = c.rows, pass.cos = c.cos, pass.sin = c.sin, pass.stream = c.stream;
  pass.norm = c.norm, pass.q = c.q, pass.k = c.k, pass.v = c.v, pass.mix = c.mix;
  pass.gate = c.gate, pass.up = c.up, pass.rounded = c.rounded, pass.gated = c.gated;
  pass.inner = c.inner, pass.inner_width = c.inner_width;
  pass.middle = c.middle, pass.middle_width = c.middle_width;
  pass.experts = c.experts, pass.shared_width = spec.shared_width();
  pass.final_norm = model_.final_norm.data(), pass.head = &model_.head_view();
  return pass;
}

// `beside`: as lensor_layer has it.
lensor_layer Decoder::weights_of(int32_t i, const lensor_kv_head* kv,
                                 const std::vector<const lensor_adapters*>& beside) const {
  const bool some = std::any_of(beside.begin(), beside.end(), [](const auto* one) { return one != nullptr; });
  const Layer& layer = model_.layers[i];
  return {layer.attention_norm.data(),
          layer.feed_forward_norm.data(),
          &layer.query.view,
          &layer.key.view,
          &layer.value.view,
          &layer.output.view,
          &layer.gate.view,
          &layer.up.view,
          &layer.down.view,
          kv,
          some ? beside.data() : nullptr,
          experts_.empty() ? nullptr : &experts_[i]};
}

lensor_status Decoder::run(Cache& cache, const int32_t* ids, int64_t count, const Rows& rows,
                           const Trace* trace, float* logits, const Sampled* sampled) {
  const ModelSpec& spec = model_.spec;
  const int64_t start = cache.length();
  progress().done = 0, progress().total = count * spec.layers;
  lensor_status status = LENSOR_OK;
  try {
    for (int64_t first = 0; first < count && !status; first += kChunk) {
      const int64_t some = std::min(kChunk, count - first), at = start + first;
      Chunk c(spec, some, model_.adapters.ranks(), model_.most_rank());
      cache.reserve(at + some);
      for (int64_t t = 0; t < some; t++)
        ops_->weight_row(&model_.embedding.view, ids[first + t], c.stream + t * spec.width);
      cache.rope().turns(at, some, c.cos, c.sin);
      status = layers(c, cache, first, count, {trace, sampled, first + some == count ? logits : nullptr});
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

lensor_status Decoder::layers(Chunk& c, Cache& cache, int64_t first, int64_t total, const Wishes& wishes) {
  const ModelSpec& spec = model_.spec;
  std::vector<std::vector<lensor_kv_head>> heads;
  std::vector<std::vector<const lensor_adapters*>> beside;
  std::vector<lensor_layer> list;
  for (int32_t i = 0; i < spec.layers; i++) {
    heads.push_back(cache.heads(i, c.rows));
    beside.push_back({model_.adapters.layer(i)});
    list.push_back(weights_of(i, heads.back().data(), beside.back()));
  }
  lensor_pass pass = pass_of(c);
  pass.kv_dtype = cache.shape().dtype;
  // One token goes through all layers at once; many stop between layers, to tell how far they are.
  const int32_t step = c.rows == 1 && !wishes.trace && !wishes.sampled ? spec.layers : 1;
  for (int32_t i = 0; i < spec.layers; i += step) {
    pass.layers = &list[i], pass.count = step;
    pass.logits = i + step == spec.layers ? wishes.logits : nullptr;
    if (wishes.trace) keep_stream(c, *wishes.trace, i, first, total);
    if (const auto status = ops_->layers(context_, &pass)) return status;
    if (wishes.trace) keep_heads(c, *wishes.trace, i, first, total);
    if (wishes.sampled) keep_sampled(c, *wishes.sampled, i, first);
    progress().done += step * c.rows;
  }
  if (wishes.trace) keep_stream(c, *wishes.trace, spec.layers, first, total);
  return LENSOR_OK;
}

lensor_status Decoder::step(Cache* const* caches, const int32_t* ids, const Adapters* const* adapters,
                            int64_t count, float* logits) {
  const ModelSpec& spec = model_.spec;
  const int64_t half = spec.head_width / 2;
  int64_t ranks = 0;
  for (int64_t i = 0; i < count; i++) ranks = std::max(ranks, adapters[i]->ranks());
  Chunk c(spec, count, ranks, model_.most_rank());
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = caches[i]->length();
    caches[i]->reserve(at + 1);
    ops_->weight_row(&model_.embedding.view, ids[i], c.stream + i * spec.width);
    caches[i]->rope().turns(at, 1, c.cos + i * half, c.sin + i * half);
  }
  std::vector<std::vector<lensor_kv_head>> heads(spec.layers);
  std::vector<std::vector<const lensor_adapters*>> beside(spec.layers);
  std::vector<lensor_layer> list;
  for (int32_t l = 0; l < spec.layers; l++) {
    for (int64_t i = 0; i < count; i++) {
      beside[l].push_back(adapters[i]->layer(l));
      for (const lensor_kv_head& head : caches[i]->heads(l, 1)) {
        if (head.bounds) throw std::runtime_error("a text that leaves out pages cannot be read with others");
        heads[l].push_back(head);
      }
    }
    list.push_back(weights_of(l, heads[l].data(), beside[l]));
  }
  lensor_pass pass = pass_of(c);
  pass.kv_dtype = caches[0]->shape().dtype, pass.texts = static_cast<int32_t>(count);
  pass.layers = list.data(), pass.count = spec.layers, pass.logits = logits;
  const lensor_status status = ops_->layers(context_, &pass);
  for (int64_t i = 0; i < count && !status; i++) caches[i]->set_length(caches[i]->length() + 1);
  return status;
}

lensor_status Decoder::layer(Cache& cache, int32_t layer, float* stream, int64_t rows, float* query) {
  const ModelSpec& spec = model_.spec;
  const int64_t start = cache.length(), d = spec.head_width;
  cache.reserve(start + rows);
  lensor_status status = LENSOR_OK;
  for (int64_t first = 0; first < rows && !status; first += kChunk) {
    const int64_t some = std::min(kChunk, rows - first);
    Chunk c(spec, some, model_.adapters.ranks(), model_.most_rank());
    std::memcpy(c.stream, stream + first * spec.width, some * spec.width * sizeof(float));
    cache.rope().turns(start + first, some, c.cos, c.sin);
    const auto heads = cache.heads(layer, first + some);
    const std::vector<const lensor_adapters*> beside{model_.adapters.layer(layer)};
    const lensor_layer one = weights_of(layer, heads.data(), beside);
    lensor_pass pass = pass_of(c);
    pass.kv_dtype = cache.shape().dtype, pass.layers = &one, pass.count = 1;
    status = ops_->layers(context_, &pass);
    std::memcpy(stream + first * spec.width, c.stream, some * spec.width * sizeof(float));
    for (int32_t h = 0; query && h < spec.heads; h++)
      for (int64_t t = 0; t < some; t++)
        std::memcpy(query + (h * rows + first + t) * d, c.q + (t * spec.heads + h) * d, d * sizeof(float));
  }
  return status;
}

void Decoder::keep_sampled(const Chunk& c, const Sampled& sampled, int64_t layer, int64_t first) {
  const int64_t heads = model_.spec.heads, d = model_.spec.head_width;
  const int32_t* end = sampled.rows + sampled.count;
  for (const int32_t* at = std::lower_bound(sampled.rows, end, first); at < end && *at < first + c.rows; at++)
    for (int64_t h = 0; h < heads; h++)
      std::memcpy(sampled.query + ((layer * heads + h) * sampled.count + (at - sampled.rows)) * d,
                  c.q + ((*at - first) * heads + h) * d, d * sizeof(float));
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
  Chunk c(spec, rows, 0, 0, false);
  lensor_activations a{};
  a.rows = rows, a.cols = spec.width, a.f32 = c.norm;
  lensor_status status =
      ops_->rms_norm(context_, stream, model_.final_norm.data(), spec.norm_epsilon, rows, spec.width, c.norm);
  if (!status && fast_ && is_quantized(head.dtype)) {
    if (takes_wide(head.dtype))
      a.q16 = c.rounded.q16, a.scale16 = c.rounded.scale16;
    else
      a.q8 = c.rounded.q8, a.scale8 = c.rounded.scale8, a.part8 = c.rounded.part8,
      a.total8 = c.rounded.total8;
    status = ops_->quantize(context_, &a);
  }
  const lensor_linear job{&head, out, spec.vocabulary, 0, nullptr, 0, 0, nullptr, 0, nullptr};
  return status ? status : ops_->linear(context_, &a, &job, 1);
}

} // namespace lensor
