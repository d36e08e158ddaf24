// What was learnt beside a model's matrices, laid out for the back end: for each matrix a list of adapters,
// the first nearest to the weight (lensor_adapters). Filled on the executor's thread, between passes.
#pragma once
#include "../core/memory.h"
#include "../include/lensor_abi.h"
#include <array>
#include <vector>

namespace lensor {

// One adapter beside a matrix [N, K], as its tensors lie; what it has not is null.
struct Learnt {
  int64_t rank = 0;
  float scale = 1;
  const float *down = nullptr, *up = nullptr; // [rank, K], [N, rank]
  const float* gain = nullptr;                // [N]
  const float* input = nullptr;               // [K]: of what the matrix reads, the ones before it included
};

class Adapters {
public:
  struct Place {
    size_t layer;
    lensor_adapted part;
  };

  // Copies them. Throws std::bad_alloc and changes nothing then. None: the matrix stands alone again.
  void set(Place, int64_t rows, int64_t cols, const std::vector<Learnt>&);
  // [LENSOR_ADAPTED], or null where a layer has none.
  const lensor_adapters* layer(size_t) const;
  // Of the adapters beside any one matrix, at most.
  int64_t ranks() const;
  size_t bytes() const;
  // The matrix [rows, cols] with all that stands beside it, in its own place.
  void merge(lensor_context*, Place, int64_t rows, int64_t cols, float* weight) const;

private:
  struct Beside {
    std::vector<lensor_adapter> each;
    std::vector<Block> memory; // that they point into
    Block input;
  };
  struct Layer {
    std::array<Beside, LENSOR_ADAPTED> beside;
    std::array<lensor_adapters, LENSOR_ADAPTED> views{};
  };
  std::vector<Layer> layers_; // none before the last that has any
};

} // namespace lensor
