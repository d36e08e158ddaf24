// What experts made of tokens, brought together, and its gradient, as the ABI's lensor_combine says. A
// token's rows are added in their order, by one thread: neither threads nor other tokens change a bit.
#include "kernels.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

struct Rows {
  const char* data;
  int32_t dtype;
  int64_t width;

  const float* at(int64_t row, int64_t column, int64_t n, float* wide) const {
    return as_f32(dtype, data + (row * width + column) * size_of(dtype), n, wide);
  }
};

Rows rows_of(const void* data, const lensor_view* like) {
  return {(const char*)data, like->dtype, like->shape[1]};
}

bool are_tokens(const int64_t* tokens, int64_t count, int64_t most) {
  for (int64_t r = 0; r < count; r++)
    if (tokens[r] < 0 || tokens[r] >= most) return false;
  return true;
}

} // namespace

lensor_status combine(lensor_context* context, const lensor_combine* c) {
  const int64_t R = c->rows->shape[0], T = c->out->shape[0], width = c->out->shape[1];
  if (!are_tokens(c->tokens, R, T)) return LENSOR_BAD_INDEX;
  // Of each token its rows, in order: mine[first[t] ... first[t + 1]).
  Scratch scratch(context);
  int64_t *first = scratch.take<int64_t>(T + 2), *mine = scratch.take<int64_t>(R);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  memset(first, 0, (size_t)(T + 2) * sizeof(int64_t));
  for (int64_t r = 0; r < R; r++) first[c->tokens[r] + 2]++;
  for (int64_t t = 0; t < T; t++) first[t + 2] += first[t + 1];
  for (int64_t r = 0; r < R; r++) mine[first[c->tokens[r] + 1]++] = r;
  const Rows rows = rows_of(c->rows->data, c->rows), there = rows_of(c->addend, c->out);
  const int64_t size = size_of(c->out->dtype);
  return in_chunks(context, T, most(1, kGrain / most(1, width)), [&](int64_t begin, int64_t end, int) {
    alignas(64) float sums[kBlock], wide[kBlock];
    for (int64_t t = begin; t < end; t++)
      for (int64_t at = 0; at < width; at += kBlock) {
        const int64_t n = least(kBlock, width - at);
        memset(sums, 0, sizeof sums);
        for (int64_t i = first[t]; i < first[t + 1]; i++) {
          const f32v gate = set1(c->gates ? c->gates[mine[i]] : 1.0f);
          const float* x = rows.at(mine[i], at, n, wide);
          for (int64_t j = 0; j < n; j += 16)
            store(sums + j, fma(gate, load_part(x + j, (int)least(16, n - j), 0), load(sums + j)));
        }
        if (c->addend) {
          const float* x = there.at(t, at, n, wide);
          for (int64_t j = 0; j < n; j += 16)
            store(sums + j, add(load_part(x + j, (int)least(16, n - j), 0), load(sums + j)));
        }
        put_f32(c->out->dtype, sums, n, (char*)c->out->data + (t * width + at) * size);
      }
  });
}

lensor_status combine_grad(lensor_context* context, const lensor_combine* c, const lensor_view* dy,
                           const lensor_view* drows, float* dgates) {
  const int64_t R = c->rows->shape[0], width = c->out->shape[1];
  if (!are_tokens(c->tokens, R, c->out->shape[0])) return LENSOR_BAD_INDEX;
  const Rows rows = rows_of(c->rows->data, c->rows), back = rows_of(dy->data, dy);
  return in_chunks(context, R, most(1, kGrain / most(1, width)), [&](int64_t begin, int64_t end, int) {
    alignas(64) float wide_x[kBlock], wide_g[kBlock], result[kBlock];
    for (int64_t r = begin; r < end; r++) {
      const f32v gate = set1(c->gates ? c->gates[r] : 1.0f);
      f32v dot = zero();
      for (int64_t at = 0; at < width; at += kBlock) {
        const int64_t n = least(kBlock, width - at);
        const float* g = back.at(c->tokens[r], at, n, wide_g);
        const float* x = dgates ? rows.at(r, at, n, wide_x) : g;
        for (int64_t j = 0; j < n; j += 16) {
          const int some = (int)least(16, n - j);
          const f32v slope = load_part(g + j, some, 0);
          if (dgates) dot = fma(load_part(x + j, some, 0), slope, dot);
          store(result + j, mul(gate, slope));
        }
        if (drows)
          put_f32(drows->dtype, result, n, (char*)drows->data + (r * width + at) * size_of(drows->dtype));
      }
      if (dgates) dgates[r] = lane_sum(dot);
    }
  });
}

} // namespace lensor::LENSOR_ISA
