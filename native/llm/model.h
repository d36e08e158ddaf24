// A decoder's weights, packed for the back end, and its numbers. Loaded once, then only read.
#pragma once
#include "../core/memory.h"
#include "../include/lensor_abi.h"
#include "adapters.h"
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lensor {

// Meanings: lensor_experts. `shared` of them count always; the model's feed_forward is the width of each.
struct ExpertsSpec {
  int32_t count = 0, chosen = 0, shared = 0; // count 0: none
  bool sigmoid = false, normalized = false;
  float scale = 1;
};

struct ModelSpec {
  int32_t layers, width, heads, kv_heads, head_width, feed_forward, vocabulary;
  float norm_epsilon;
  ExpertsSpec experts{};

  // Throws std::runtime_error where a stack of experts is not made of whole panels.
  void check() const;
  int32_t shared_width() const { return experts.shared * feed_forward; }
};

struct SourceFile {
  std::string path;
  size_t size;
};

struct TensorSpec {
  std::string name; // GGUF's, "blk.3.attn_q.weight"
  int32_t dtype;
  int64_t rows, cols; // a vector has one row
  size_t file, offset, bytes;
};

// How a file orders the rows of a head's queries and keys that RoPE turns together: (2i, 2i + 1) as GGUF
// does, or (i, i + d/2) as transformers and this engine do.
enum class Turned { pairs, halves };

struct Weight {
  lensor_weight view{};
  std::shared_ptr<Block> memory; // shared by all that were read from one file
  size_t bytes = 0;              // its own part
  int64_t repeats = 1;           // the view stands for so many of it, one below the other

  int64_t rows() const { return view.rows * repeats; }

  // Packs rows of a type in its place. Throws std::bad_alloc and changes nothing then.
  void replace(lensor_context*, const lensor_ops*, int32_t dtype, const void* rows);
  // The same of factors of a floating type, down [rank, cols] and up [rows, rank].
  void replace_factors(lensor_context*, const lensor_ops*, int32_t dtype, int64_t rank, const void* down,
                       const void* up);
  // Of factors, else 0.
  int64_t rank() const;
  // Row-major f32, all of its repeats.
  void unpack(lensor_context*, const lensor_ops*, float* rows) const;
};

struct Layer {
  std::vector<float> attention_norm, feed_forward_norm;
  Weight query, key, value, output, gate, up, down; // with experts those of all, see lensor_experts
  Weight router, shared_gate, shared_up, shared_down;
  std::vector<float> router_bias;
};

struct Model {
  ModelSpec spec;
  Weight embedding;
  Weight head; // empty where the embedding is the head
  bool own_head = false;
  std::vector<float> final_norm;
  std::vector<Layer> layers;
  Adapters adapters; // of a tuned one
  std::atomic<size_t> bytes{0};

  // Another of the same shapes, still without weights.
  std::shared_ptr<Model> sibling() const;
  // By its name in the file; null where there is none. A norm's gain is a vector.
  Weight* find(const std::string& name);
  std::vector<float>* find_vector(const std::string& name);
  // Where adapters beside a matrix stand; nothing where none can.
  std::optional<Adapters::Place> place_of(const std::string& name) const;
  // Whether another has the same weights, in the same memory.
  bool shares(const Model& other) const;
  void count_bytes();
  // Of the factors of any matrix of a layer, at most.
  int64_t most_rank() const;
  const lensor_weight& head_view() const { return own_head ? head.view : embedding.view; }
};

// Reads and packs the tensors of files whose headers have been checked; checks ranges and shapes again.
// Polls the context for interrupts. Throws std::runtime_error naming the tensor, or std::bad_alloc.
std::shared_ptr<Model> load_model(lensor_context*, const lensor_ops*, const std::vector<SourceFile>&, Turned,
                                  const ModelSpec&, const std::vector<TensorSpec>&);

// Zeros of a floating type, for `replace` to fill; `tied`: the head is the embedding. Throws std::bad_alloc.
std::shared_ptr<Model> new_model(lensor_context*, const lensor_ops*, const ModelSpec&, int32_t dtype,
                                 bool tied);

// The same weights with experts in place of each MLP: all of them its own gate, up and down, in the same
// memory; a router of zeros.
std::shared_ptr<Model> upcycled_model(lensor_context*, const lensor_ops*, const Model& from,
                                      const ExpertsSpec&);

// The same weights, without what stands beside them: their memory is shared until one of the two replaces its
// own.
void copy_model(const Model& from, Model& to);

} // namespace lensor
