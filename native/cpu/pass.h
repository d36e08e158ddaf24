// What the steps of a decoder's pass are made of: a thread's own memory, rows made ready for the weights that
// read them, and products that all threads share (layers.cc has the steps, mixture.h those of experts).
#pragma once
#include "adapters.h"
#include "linear.h"
#include "product.h"
#include "rows.h"
#include "team.h"

namespace lensor::LENSOR_ISA {

struct Work {
  const lensor_pass* pass;
  Team team;
  float* parts; // of attention that is split
};

static inline int64_t texts_of(const lensor_pass* p) { return p->texts ? p->texts : 1; }
static inline int64_t rows_of_text(const lensor_pass* p) { return p->texts ? 1 : p->rows; }

// What one thread has to itself.
struct Own {
  int32_t thread;
  float* row;                 // as wide as any input
  lensor_activations rounded; // of it
  float* attention;
  float* inner; // of adapters: [3 * inner_width]
};

static inline int64_t widest(const lensor_pass* p) {
  const int64_t heads = (int64_t)p->heads * p->head_width, stream = p->width > heads ? p->width : heads;
  const int64_t inside = p->feed_forward > p->shared_width ? p->feed_forward : p->shared_width;
  return inside > stream ? inside : stream;
}

// The activations that these weights meet, rounded where the mode and their types ask for it.
static inline lensor_activations forms(const lensor_pass* p, const lensor_activations* all, int64_t rows,
                                       int64_t cols, const float* x, const lensor_weight* const* weights,
                                       int count) {
  lensor_activations a = {};
  a.rows = rows, a.cols = cols, a.f32 = x;
  for (int i = 0; i < count && p->fast; i++) {
    const int32_t dtype = weights[i]->dtype;
    if (takes_wide(dtype))
      a.q16 = all->q16, a.scale16 = all->scale16;
    else if (is_quantized(dtype))
      a.q8 = all->q8, a.scale8 = all->scale8, a.part8 = all->part8, a.total8 = all->total8;
  }
  return a;
}

static inline bool is_rounded(const lensor_activations& a) { return a.q8 || a.q16; }

// Weights that read the same activations, and what stands beside them in each text.
struct Readers {
  const lensor_weight* weights[3];
  int count;
  const lensor_adapters* const* adapters; // NULL, or as the layer has them
  int32_t first;                          // of the weights, among a layer's

  // What stands beside them, and makes of the row what the weights read: that of one weight alone.
  const lensor_adapters* of(const lensor_pass* p, int64_t row) const {
    const lensor_adapters* all = adapters ? adapters[p->texts ? row : 0] : nullptr;
    return all ? all + first : nullptr;
  }
};

static inline Readers readers_of(const lensor_layer* layer, int32_t first, int count) {
  const lensor_weight* const all[] = {layer->query, layer->key, layer->value, layer->output,
                                      layer->gate,  layer->up,  layer->down};
  Readers readers = {{}, count, layer->adapters, first};
  for (int i = 0; i < count; i++) readers.weights[i] = all[first + i];
  return readers;
}

static inline lensor_linear job_of(const lensor_pass* p, const Own* own, const Readers& readers, int i,
                                   float* out, int64_t stride, int32_t accumulate) {
  return {readers.weights[i],
          out,
          stride,
          accumulate,
          readers.adapters,
          readers.first + i,
          p->texts,
          (p->rows == 1 ? own->inner : p->inner) + i * p->inner_width,
          3 * p->inner_width,
          p->middle + i * p->rows * p->middle_width};
}

// What adapters want of a row, and the row as the weights want it, at `to` where it changes.
static inline const float* read_row(const lensor_pass* p, const Readers& readers, int64_t row, const float* x,
                                    int64_t cols, float* inner, float* to) {
  const lensor_adapters* beside = readers.of(p, row);
  if (!beside) return x;
  for (int i = 0; i < readers.count; i++) inner_row(beside + i, x, cols, inner + i * p->inner_width);
  const float* input = readers.count == 1 ? beside->input : nullptr;
  if (!input) return x;
  for (int64_t i = 0; i < cols; i += 16) {
    const int n = (int)(cols - i < 16 ? cols - i : 16);
    store_part(to + i, mul(load_part(x + i, n, 0), load_part(input + i, n, 0)), n);
  }
  return to;
}

// Rows of x, normed where there is a gain, ready for the weights that read them; many may be changed in their
// place. A lone row is everyone's own.
static inline lensor_activations ready(Work* work, Own* own, float* x, const float* gain, int64_t cols,
                                       int64_t rows, const Readers& readers,
                                       const lensor_activations* rounded) {
  const lensor_pass* p = work->pass;
  if (rows == 1) {
    if (gain) norm_row(x, gain, p->epsilon, cols, own->row);
    const float* row = read_row(p, readers, 0, gain ? own->row : x, cols, own->inner, own->row);
    const auto a = forms(p, &own->rounded, 1, cols, row, readers.weights, readers.count);
    if (is_rounded(a)) round_row(&a, 0);
    return a;
  }
  float* to = gain ? p->norm : x;
  const auto a = forms(p, rounded, rows, cols, to, readers.weights, readers.count);
  if (!gain && !is_rounded(a) && !readers.adapters) return a;
  share(&work->team, own->thread, rows, [&](int64_t row) {
    if (gain) norm_row(x + row * cols, gain, p->epsilon, cols, to + row * cols);
    float* at = to + row * cols;
    read_row(p, readers, row, at, cols, p->inner + row * 3 * p->inner_width, at);
    if (is_rounded(a)) round_row(&a, row);
  });
  meet(&work->team);
  return a;
}

// What the first of a matrix's factors makes of the activations, before the second reads it.
static inline void first_factors(Work* work, const Own* own, const lensor_activations* a,
                                 const lensor_linear* jobs, int count) {
  lensor_linear first[3];
  int64_t total = 0;
  int some = 0;
  for (int i = 0; i < count; i++) {
    if (jobs[i].weight->dtype != LENSOR_FACTORS) continue;
    const lensor_weight* down = &((const lensor_factors*)jobs[i].weight->data)->down;
    first[some++] = {down, jobs[i].middle, down->rows, 0, nullptr, 0, 0, nullptr, 0, nullptr};
    total += pieces_of(down, 1);
  }
  if (!some) return;
  share(&work->team, own->thread, total, [&](int64_t item) {
    int i = 0;
    for (int64_t more; item >= (more = pieces_of(first[i].weight, 1)); i++) item -= more;
    linear_panels(a, first + i, item, 1);
  });
  meet(&work->team);
}

// All columns of some products of the same activations.
static inline void products(Work* work, const Own* own, const lensor_activations* a,
                            const lensor_linear* jobs, int count) {
  first_factors(work, own, a, jobs, count);
  const int64_t panels = together(a);
  int64_t total = 0;
  for (int i = 0; i < count; i++) total += pieces_of(jobs[i].weight, panels);
  share(&work->team, own->thread, total, [&](int64_t item) {
    int i = 0;
    for (int64_t some; item >= (some = pieces_of(jobs[i].weight, panels)); i++) item -= some;
    linear_panels(a, jobs + i, item * panels, panels);
  });
  meet(&work->team);
}

// silu(gate) * up, some columns at a time; of many rows, rounded at once for the matrix that reads them,
// unless adapters want whole rows of them first.
static inline lensor_activations gated(Work* work, Own* own, const lensor_activations* a, const Readers& two,
                                       const Readers& one) {
  const lensor_pass* p = work->pass;
  const int64_t cols = two.weights[0]->rows, panels = together(a), wide = panels * LENSOR_PANEL;
  const lensor_linear gate = job_of(p, own, two, 0, p->gate, cols, 0),
                      up = job_of(p, own, two, 1, p->up, cols, 0);
  const auto out = forms(p, &p->gated, p->rows, cols, p->gate, one.weights, 1);
  const bool at_once = p->rows > 1 && !one.adapters;
  const lensor_linear both[] = {gate, up};
  first_factors(work, own, a, both, 2);
  share(&work->team, own->thread, pieces_of(two.weights[0], panels), [&](int64_t item) {
    linear_panels(a, &gate, item * panels, panels);
    linear_panels(a, &up, item * panels, panels);
    const int64_t first = item * wide, left = cols - first;
    for (int64_t row = 0; row < p->rows; row++)
      gate_row(p->gate + row * cols + first, p->up + row * cols + first, left < wide ? left : wide);
    if (at_once && is_rounded(out)) round_column(&out, item);
  });
  meet(&work->team);
  return at_once ? out : ready(work, own, p->gate, nullptr, cols, p->rows, one, &p->gated);
}
static_assert(kTogether * LENSOR_PANEL == LENSOR_BLOCK);

} // namespace lensor::LENSOR_ISA
