#include "adapters.h"
#include <algorithm>
#include <cstring>

namespace lensor {

namespace {

int64_t padded(int64_t rows) { return (rows + LENSOR_PANEL - 1) / LENSOR_PANEL * LENSOR_PANEL; }

// Where number r of `rank` that belong to column i stands in panels.
int64_t in_panel(int64_t i, int64_t r, int64_t rank) {
  return (i / LENSOR_PANEL * rank + r) * LENSOR_PANEL + i % LENSOR_PANEL;
}

// Zeros behind a row's own are read by whole panels.
Block zeros(int64_t floats) {
  Block block(floats * sizeof(float), Owner{memory_owner().cell, Kind::weights});
  std::memset(block.data(), 0, block.bytes());
  return block;
}

} // namespace

void Adapters::set(Place place, int64_t rows, int64_t cols, const std::vector<Learnt>& learnt) {
  Beside made;
  const int64_t wide = padded(rows), deep = padded(cols);
  for (const Learnt& one : learnt) {
    Block memory = zeros(one.rank * (deep + wide) + (one.gain ? wide : 0));
    float* at = memory.as<float>();
    lensor_adapter view{static_cast<int32_t>(one.rank), one.scale, nullptr, nullptr, nullptr};
    if (one.rank) {
      for (int64_t r = 0; r < one.rank; r++)
        for (int64_t k = 0; k < cols; k++) at[in_panel(k, r, one.rank)] = one.down[r * cols + k];
      view.down = at, at += one.rank * deep;
      for (int64_t n = 0; n < rows; n++)
        for (int64_t r = 0; r < one.rank; r++) at[in_panel(n, r, one.rank)] = one.up[n * one.rank + r];
      view.up = at, at += one.rank * wide;
    }
    if (one.gain) {
      std::memcpy(at, one.gain, rows * sizeof(float));
      view.gain = at;
    }
    if (one.input) {
      // Those before it read what it makes of x: their A does, in place of x.
      if (!made.input.data()) {
        made.input = zeros(cols);
        std::fill_n(made.input.as<float>(), cols, 1.0f);
      }
      for (int64_t k = 0; k < cols; k++) made.input.as<float>()[k] *= one.input[k];
      for (size_t i = 0; i < made.each.size(); i++)
        for (int64_t r = 0; r < made.each[i].rank; r++)
          for (int64_t k = 0; k < cols; k++)
            made.memory[i].as<float>()[in_panel(k, r, made.each[i].rank)] *= one.input[k];
    }
    made.each.push_back(view);
    made.memory.push_back(std::move(memory));
  }
  // Layers that move take their lists' memory with them: what the views point at stays where it is.
  if (layers_.size() <= place.layer) layers_.resize(place.layer + 1);
  Layer& layer = layers_[place.layer];
  layer.beside[place.part] = std::move(made);
  const Beside& own = layer.beside[place.part];
  lensor_adapters& view = layer.views[place.part];
  view = {own.each.data(), static_cast<int32_t>(own.each.size()), 0, own.input.as<float>()};
  for (const auto& one : own.each) view.ranks += one.rank;
}

const lensor_adapters* Adapters::layer(size_t i) const {
  if (i >= layers_.size()) return nullptr;
  const auto& views = layers_[i].views;
  const bool some = std::any_of(views.begin(), views.end(), [](const auto& one) { return one.count > 0; });
  return some ? views.data() : nullptr;
}

int64_t Adapters::ranks() const {
  int64_t most = 0;
  for (const Layer& layer : layers_)
    for (const auto& one : layer.views) most = std::max<int64_t>(most, one.ranks);
  return most;
}

size_t Adapters::bytes() const {
  size_t sum = 0;
  for (const Layer& layer : layers_)
    for (const Beside& one : layer.beside) {
      sum += one.input.bytes();
      for (const Block& block : one.memory) sum += block.bytes();
    }
  return sum;
}

void Adapters::merge(lensor_context* context, Place place, int64_t rows, int64_t cols, float* weight) const {
  const lensor_adapters* all = layer(place.layer);
  if (!all || !all[place.part].count) return;
  struct Rows {
    const lensor_adapters* adapters;
    int64_t cols;
    float* weight;
  } job{all + place.part, cols, weight};
  const lensor_body body = [](void* arg, int64_t begin, int64_t end, int32_t) {
    const Rows& job = *static_cast<const Rows*>(arg);
    for (int64_t n = begin; n < end; n++) {
      float* row = job.weight + n * job.cols;
      for (int64_t k = 0; job.adapters->input && k < job.cols; k++) row[k] *= job.adapters->input[k];
      for (int32_t i = 0; i < job.adapters->count; i++) {
        const lensor_adapter& one = job.adapters->each[i];
        for (int64_t r = 0; r < one.rank; r++) {
          const float factor = one.scale * one.up[in_panel(n, r, one.rank)];
          for (int64_t k = 0; k < job.cols; k++) row[k] += factor * one.down[in_panel(k, r, one.rank)];
        }
        for (int64_t k = 0; one.gain && k < job.cols; k++) row[k] *= one.gain[n];
      }
    }
  };
  context->parallel(context, rows, 16, body, &job);
}

} // namespace lensor
