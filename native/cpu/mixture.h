// Experts in place of a block's MLP (lensor_experts), step by step for all threads: the router's logits, who
// is chosen, rows gathered by their expert, each expert's products on its rows, and what they give brought
// back in the order of the experts. Every piece is a row's own, so neither rows nor threads change a bit.
#pragma once
#include "../quant/panel.h"
#include "pass.h"

namespace lensor::LENSOR_ISA {

// f(logits) of one row, in place; and the chosen, ascending, with their gates.
static inline void choose_experts(const lensor_experts* e, float* p, int32_t* chosen, float* gates) {
  float most = p[0], sum = 0;
  for (int32_t i = 1; i < e->count; i++) most = p[i] > most ? p[i] : most;
  for (int32_t i = 0; i < e->count; i++) {
    p[i] = e->sigmoid ? 1 / (1 + exp1(-p[i])) : exp1(p[i] - most);
    sum += p[i];
  }
  if (!e->sigmoid)
    for (int32_t i = 0; i < e->count; i++) p[i] /= sum;
  // Of equals the lower number.
  for (int32_t j = 0; j < e->chosen; j++) {
    int32_t best = -1;
    float value = 0;
    for (int32_t i = 0; i < e->count; i++) {
      const float mine = p[i] + (e->bias ? e->bias[i] : 0);
      bool taken = false;
      for (int32_t k = 0; k < j; k++) taken |= chosen[k] == i;
      if (!taken && (best < 0 || mine > value)) best = i, value = mine;
    }
    chosen[j] = best;
  }
  for (int32_t j = 1; j < e->chosen; j++)
    for (int32_t k = j; k > 0 && chosen[k] < chosen[k - 1]; k--) {
      const int32_t other = chosen[k];
      chosen[k] = chosen[k - 1], chosen[k - 1] = other;
    }
  float all = 0;
  for (int32_t j = 0; j < e->chosen; j++) all += p[chosen[j]];
  for (int32_t j = 0; j < e->chosen; j++)
    gates[j] = e->scale * (e->normalized ? p[chosen[j]] / all : p[chosen[j]]);
}

// Choices in the order of their experts, those of one in the order of rows.
static inline void order_choices(const lensor_experts* e, const lensor_experts_memory* m, int64_t choices) {
  for (int32_t i = 0; i <= e->count; i++) m->first[i] = 0;
  for (int64_t r = 0; r < choices; r++) m->first[m->experts[r] + 1]++;
  for (int32_t i = 0; i < e->count; i++) m->first[i + 1] += m->first[i];
  for (int64_t r = 0; r < choices; r++) m->rows[m->first[m->experts[r]]++] = (int32_t)r;
  for (int32_t i = e->count; i > 0; i--) m->first[i] = m->first[i - 1];
  m->first[0] = 0;
}

// Rows [first, first + rows) of activations.
static inline lensor_activations rows_from(lensor_activations a, int64_t first, int64_t rows) {
  a.rows = rows, a.f32 += first * a.cols;
  if (a.q8) {
    a.q8 += first * a.cols, a.scale8 += first * (a.cols / 16), a.part8 += first * (a.cols / 16);
    a.total8 += first * (a.cols / LENSOR_BLOCK);
  }
  if (a.q16) a.q16 += first * a.cols, a.scale16 += first * (a.cols / LENSOR_BLOCK);
  return a;
}

// f(expert, its first row, rows, piece) for the pieces of a matrix [rows] of every expert that has rows.
template <class F> static inline void each_piece(Work* work, const Own* own, const lensor_experts* e,
                                                 int64_t pieces, const F& f) {
  const lensor_experts_memory* m = &work->pass->experts;
  int64_t busy = 0;
  for (int32_t i = 0; i < e->count; i++) busy += m->first[i + 1] > m->first[i];
  share(&work->team, own->thread, busy * pieces, [&](int64_t item) {
    int32_t i = 0;
    for (int64_t before = item / pieces;; i++) {
      if (m->first[i + 1] == m->first[i]) continue;
      if (before-- == 0) break;
    }
    f(i, (int64_t)m->first[i], (int64_t)(m->first[i + 1] - m->first[i]), item % pieces);
  });
}

// x += what the experts make of its normed rows `a`.
static inline void mixture(Work* work, Own* own, const lensor_activations* a, const lensor_layer* layer) {
  const lensor_pass* p = work->pass;
  const lensor_experts* e = layer->experts;
  const lensor_experts_memory* m = &p->experts;
  Team* team = &work->team;
  const int64_t rows = p->rows, width = p->width, inside = p->feed_forward, choices = rows * e->chosen;
  lensor_linear route{};
  route.weight = e->router, route.out = m->logits, route.out_stride = e->count;
  const lensor_activations plain{rows, width, a->f32, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
  products(work, own, &plain, &route, 1);
  share(team, own->thread, rows, [&](int64_t row) {
    choose_experts(e, m->logits + row * e->count, m->experts + row * e->chosen, m->gates + row * e->chosen);
  });
  meet(team);
  const lensor_weight* two[] = {layer->gate, layer->up};
  const lensor_activations gathered = forms(p, &m->rounded, choices, width, m->gathered, two, 2);
  share(team, own->thread, 1, [&](int64_t) { order_choices(e, m, choices); });
  meet(team);
  share(team, own->thread, choices, [&](int64_t r) {
    memcpy(m->gathered + r * width, a->f32 + m->rows[r] / e->chosen * width, (size_t)width * sizeof(float));
    if (is_rounded(gathered)) round_row(&gathered, r);
  });
  meet(team);
  if (e->shared_gate) {
    const Readers both = {{e->shared_gate, e->shared_up}, 2, nullptr, 0},
                  last = {{e->shared_down}, 1, nullptr, 0};
    const lensor_activations hidden = gated(work, own, a, both, last);
    const lensor_linear down = job_of(p, own, last, 0, p->stream, width, 1);
    products(work, own, &hidden, &down, 1);
  }
  const int64_t panels = rows == 1 ? 1 : kTogether, wide = panels * LENSOR_PANEL;
  const auto across = [&](int64_t columns) { return (columns + wide - 1) / wide; };
  each_piece(work, own, e, across(inside), [&](int32_t i, int64_t first, int64_t some, int64_t piece) {
    const lensor_activations x = rows_from(gathered, first, some);
    const lensor_weight gate = part_of(*layer->gate, i, inside), up = part_of(*layer->up, i, inside);
    lensor_linear one{};
    one.out_stride = inside;
    one.weight = &gate, one.out = p->gate + first * inside;
    linear_panels(&x, &one, piece * panels, panels);
    one.weight = &up, one.out = p->up + first * inside;
    linear_panels(&x, &one, piece * panels, panels);
    const int64_t at = piece * wide, left = inside - at;
    for (int64_t r = first; r < first + some; r++)
      gate_row(p->gate + r * inside + at, p->up + r * inside + at, left < wide ? left : wide);
  });
  meet(team);
  const lensor_activations hidden = forms(p, &p->gated, choices, inside, p->gate, &layer->down, 1);
  if (is_rounded(hidden)) {
    share(team, own->thread, choices, [&](int64_t r) { round_row(&hidden, r); });
    meet(team);
  }
  each_piece(work, own, e, across(width), [&](int32_t i, int64_t first, int64_t some, int64_t piece) {
    const lensor_activations x = rows_from(hidden, first, some);
    const lensor_weight down = part_of(*layer->down, i, width);
    lensor_linear one{};
    one.weight = &down, one.out = m->mixed + first * width, one.out_stride = width;
    linear_panels(&x, &one, piece * panels, panels);
  });
  meet(team);
  // A row's choices ascend, and so do the experts' rows: each choice is looked up where it went.
  share(team, own->thread, rows, [&](int64_t row) {
    for (int32_t j = 0; j < e->chosen; j++) {
      const int32_t choice = (int32_t)(row * e->chosen + j), i = m->experts[choice];
      int32_t low = m->first[i], high = m->first[i + 1];
      while (high - low > 1) (m->rows[(low + high) / 2] <= choice ? low : high) = (low + high) / 2;
      const f32v gate = set1(m->gates[choice]);
      const float* from = m->mixed + (int64_t)low * width;
      float* to = p->stream + row * width;
      for (int64_t c = 0; c < width; c += 16) {
        const int n = (int)(width - c < 16 ? width - c : 16);
        store_part(to + c, fma(gate, load_part(from + c, n, 0), load_part(to + c, n, 0)), n);
      }
    }
  });
  meet(team);
}

} // namespace lensor::LENSOR_ISA
