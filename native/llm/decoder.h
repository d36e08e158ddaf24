// The forward pass of a Llama-family decoder: tokens in, a residual stream through the layers, logits out.
//   x += W_o attention(RoPE(W_q n), RoPE(W_k n), W_v n),  n = norm(x);   x += W_down (silu(W_gate n') * W_up
//   n'),  n' = norm(x)
// Runs on the executor's thread, chunk by chunk, and stops between operations when interrupted: the cache is
// then as long as it was before. Chunking changes no bit of a result.
#pragma once
#include "cache.h"
#include "model.h"
#include <functional>

namespace lensor {

// What a trace keeps of every token; row-major, f32, shapes as in lib/native.ts.
struct Trace {
  float *residual, *query, *key, *head;
};

// The queries of some of a pass's tokens: [layers, heads, count, head_width], after RoPE.
struct Sampled {
  const int32_t* rows; // ascending
  int64_t count;
  float* query;
};

// How far the pass under way is, in tokens times layers; total is 0 when there is none. Read by any thread.
struct Progress {
  std::atomic<int64_t> done{0}, total{0};
};
Progress& progress();

class Decoder {
public:
  Decoder(lensor_context* context, const lensor_ops* ops, const Model& model, bool fast);

  // Called once a chunk with the final stream [rows, width] of tokens [first, first + rows) of `ids`.
  using Rows = std::function<lensor_status(const float* stream, int64_t first, int64_t rows)>;

  // `logits` is null or [vocabulary]: those of the last token.
  lensor_status run(Cache& cache, const int32_t* ids, int64_t count, const Rows& rows,
                    const Trace* trace = nullptr, float* logits = nullptr, const Sampled* sampled = nullptr);
  // The next token of each of several texts, which do not see each other: ids and caches [count], the caches
  // all different and of one dtype; logits [count, vocabulary]. All caches grow, or none. `adapters`: what
  // stands beside the model's weights for each of them.
  lensor_status step(Cache* const* caches, const int32_t* ids, const Adapters* const* adapters, int64_t count,
                     float* logits);
  // One layer alone, for all rows of a stream [rows, width], in place, with the cache's next keys: its length
  // stays, so that other layers can follow. query: null or [heads, rows, head_width], after RoPE.
  lensor_status layer(Cache& cache, int32_t layer, float* stream, int64_t rows, float* query);
  // Final norm and head: logits [rows, vocabulary].
  lensor_status logits(const float* stream, int64_t rows, float* out);

private:
  struct Chunk;
  struct Wishes;
  lensor_status layers(Chunk& chunk, Cache& cache, int64_t first, int64_t total, const Wishes&);
  lensor_pass pass_of(Chunk&) const;
  lensor_layer weights_of(int32_t layer, const lensor_kv_head*,
                          const std::vector<const lensor_adapters*>&) const;
  void keep_stream(const Chunk&, const Trace&, int64_t layer, int64_t first, int64_t total);
  void keep_heads(const Chunk&, const Trace&, int64_t layer, int64_t first, int64_t total);
  void keep_sampled(const Chunk&, const Sampled&, int64_t layer, int64_t first);

  lensor_context* context_;
  const lensor_ops* ops_;
  const Model& model_;
  const bool fast_;
  std::vector<lensor_experts> experts_; // of each layer, where the model has them
};

} // namespace lensor
