// The work of every kernel of the table, from its arguments: operations, and bytes that must move at least
// once. A view's broadcast axes are read once. One function a kernel, in the ABI's order.
#pragma once
#include "../quant/panel.h"
#include "profile.h"
#include "tensor.h"
#include <cmath>

namespace lensor::work {

inline double count(const lensor_view* v) { return static_cast<double>(count_of(*v)); }

inline double bytes(const lensor_view* v) {
  if (!v || !v->data) return 0;
  double elements = 1;
  for (int32_t d = 0; d < v->rank; d++)
    elements *= v->stride[d] || !v->shape[d] ? static_cast<double>(v->shape[d]) : 1;
  return elements * static_cast<double>(dtype_bytes(v->dtype));
}

template <typename... V> double moved(const V*... views) { return (bytes(views) + ... + 0.0); }

inline std::string shape(std::initializer_list<int64_t> sizes) {
  std::string text;
  for (const int64_t size : sizes) text += (text.empty() ? "" : " × ") + std::to_string(size);
  return text;
}

inline int64_t last(const lensor_view* v) { return v->rank ? v->shape[v->rank - 1] : 1; }

// ---------------------------------------------------------------- tensors
inline Work copy(const lensor_view* x, const lensor_view* out) { return {"copy", 0, moved(x, out)}; }
inline Work unary(lensor_unary, const lensor_view* x, const lensor_view* out) {
  return {"unary", count(out), moved(x, out)};
}
inline Work binary(lensor_binary, const lensor_view* x, const lensor_view* y, const lensor_view* out) {
  return {"binary", count(out), moved(x, y, out)};
}
inline Work where(const lensor_view* c, const lensor_view* x, const lensor_view* y, const lensor_view* out) {
  return {"where", count(out), moved(c, x, y, out)};
}
inline Work reduce(lensor_reduction, const lensor_view* x, const lensor_view* out) {
  return {"reduce", count(x), moved(x, out)};
}
inline Work softmax(const lensor_view* x, const lensor_view* out, int32_t) {
  return {"softmax", 4 * count(x), moved(x, out)};
}
inline Work top_k(const lensor_view* x, const lensor_view* values, const lensor_view* indices) {
  return {"topK", count(x), moved(x, values, indices)};
}
inline Work matmul(const lensor_view* x, const lensor_view* y, const lensor_view* out) {
  return {"matmul", 2 * count(out) * static_cast<double>(last(x)), moved(x, y, out)};
}
inline Work gather(const lensor_view*, const lensor_view* index, const lensor_view* out) {
  return {"gather", 0, moved(index, out, out)};
}

// ---------------------------------------------------------------- a decoder
inline double floats(double n) { return n * sizeof(float); }

inline double weight_bytes(const lensor_weight* w) {
  if (w->dtype == LENSOR_FACTORS) {
    const auto* factors = static_cast<const lensor_factors*>(w->data);
    return weight_bytes(&factors->down) + weight_bytes(&factors->up);
  }
  return static_cast<double>(w->rows) * static_cast<double>(row_bytes(w->dtype, w->cols));
}

inline Work quantize(const lensor_activations* x) {
  const double n = static_cast<double>(x->rows) * static_cast<double>(x->cols);
  return {"quantize", 2 * n, floats(n) + (x->q8 ? n : 0) + (x->q16 ? 2 * n : 0)};
}
inline Work linear(const lensor_activations* x, const lensor_linear* jobs, int32_t count) {
  Work all{"linear", 0, floats(static_cast<double>(x->rows) * static_cast<double>(x->cols))};
  for (int32_t i = 0; i < count; i++) {
    const lensor_weight* w = jobs[i].weight;
    all.flops +=
        2 * static_cast<double>(x->rows) * static_cast<double>(w->rows) * static_cast<double>(w->cols);
    all.bytes += weight_bytes(w) + floats(static_cast<double>(x->rows) * static_cast<double>(w->rows));
    if (is_quantized(w->dtype) && (x->q8 || x->q16)) all.compute = LENSOR_I8;
  }
  if (count) all.shape = shape({x->rows, x->cols, jobs[0].weight->rows});
  return all;
}
inline Work rms_norm(const float*, const float*, float, int64_t rows, int64_t width, float*) {
  const double n = static_cast<double>(rows) * static_cast<double>(width);
  return {"norm", 4 * n, floats(2 * n)};
}
inline Work attention(const lensor_attention* a) {
  const double tokens = static_cast<double>(a->tokens), d = a->head_width;
  double pairs = 0, keys = 0;
  for (int32_t g = 0; g < a->kv_heads; g++) {
    const double all = static_cast<double>(a->kv[g].count);
    keys += all;
    pairs += tokens * (all - (tokens - 1) / 2) * a->heads / a->kv_heads;
  }
  return {"attention", 4 * pairs * d,
          2 * keys * d * static_cast<double>(dtype_bytes(a->kv_dtype)) + floats(2 * tokens * a->heads * d),
          LENSOR_F32, shape({a->heads, a->tokens, a->kv[0].count})};
}
// Queries that come last see every key, each one before them one fewer.
inline Work layers(const lensor_pass* p) {
  const double rows = static_cast<double>(p->rows), d = p->head_width;
  Work all{"layers", 0, 0, LENSOR_F32, shape({p->rows, p->width})};
  const auto multiply = [&](const lensor_weight* w, double m) {
    all.flops += 2 * m * static_cast<double>(w->rows) * static_cast<double>(w->cols);
    all.bytes += weight_bytes(w);
    if (p->fast && is_quantized(w->dtype)) all.compute = LENSOR_I8;
  };
  for (int32_t l = 0; l < p->count; l++) {
    const lensor_layer& one = p->layers[l];
    const lensor_adapters* beside = one.adapters ? one.adapters[0] : nullptr;
    if (one.experts) multiply(one.experts->router, rows);
    for (const lensor_weight* w : {one.query, one.key, one.value, one.output, one.gate, one.up, one.down}) {
      // Of a stack of experts each row meets those that were chosen.
      const int64_t own = w == one.down ? p->width : p->feed_forward;
      const bool stack = one.experts && (w == one.gate || w == one.up || w == one.down);
      multiply(w, stack ? rows * one.experts->chosen * static_cast<double>(own) / static_cast<double>(w->rows)
                        : rows);
      if (!beside) continue;
      const double numbers = static_cast<double>(beside++->ranks) * static_cast<double>(w->rows + w->cols);
      all.flops += 2 * rows * numbers, all.bytes += floats(numbers);
    }
    const double own = p->texts ? 1 : rows; // of one text
    for (int32_t g = 0; g < p->kv_heads * (p->texts ? p->texts : 1); g++) {
      const double keys = static_cast<double>(one.kv[g].count);
      all.flops += 4 * d * own * (keys - (own - 1) / 2) * p->heads / p->kv_heads;
      all.bytes += 2 * keys * d * static_cast<double>(dtype_bytes(p->kv_dtype));
    }
  }
  all.bytes += floats(2 * rows * static_cast<double>(p->width));
  if (p->logits) multiply(p->head, p->texts ? rows : 1);
  return all;
}
inline Work attention_map(const lensor_attention_map* a) {
  const double T = static_cast<double>(a->tokens), n = T * (a->heads + a->kv_heads) * a->head_width;
  return {"attention map", a->heads * T * T * (a->head_width + 2), floats(n + a->heads * T * T)};
}

// ---------------------------------------------------------------- training
inline Work gemm(const lensor_gemm* g) {
  const double k = static_cast<double>(last(g->a));
  Work one{"matmul", 2 * count(g->out) * k,
           moved(g->a, g->w, g->out) + (g->weight ? weight_bytes(g->weight) : 0),
           g->compute == LENSOR_BF16 ? LENSOR_BF16 : LENSOR_F32};
  const int32_t rank = g->out->rank;
  if (rank >= 2) one.shape = shape({g->out->shape[rank - 2], last(g->a), last(g->out)});
  return one;
}

inline Work gemms(const lensor_gemm* all, int64_t n) {
  Work sum{"matmul", 0, 0, n ? all->compute : LENSOR_F32};
  for (int64_t i = 0; i < n; i++) {
    const Work one = gemm(all + i);
    sum.flops += one.flops, sum.bytes += one.bytes;
  }
  return sum;
}
inline Work combine(const lensor_combine* c) {
  return {"combine", 2 * count(c->rows), moved(c->rows, c->out)};
}
inline Work combine_grad(const lensor_combine* c, const lensor_view*, const lensor_view* drows, float*) {
  return {"combine gradient", 3 * count(c->rows), moved(c->rows, c->rows, drows)};
}

inline double flash_pairs(const lensor_flash* f) {
  double pairs = 0;
  for (int64_t n = 0; n < f->sequences; n++)
    for (int32_t g = 0; g < f->kv_heads; g++) {
      const double q = static_cast<double>(f->q_offsets[n + 1] - f->q_offsets[n]),
                   k = static_cast<double>(f->key_count ? f->key_count[n * f->kv_heads + g]
                                                        : f->k_offsets[n + 1] - f->k_offsets[n]);
      // Causal: from the last query on, each sees one key fewer, down to none.
      const double some = f->causal ? std::min(q, k) : q;
      double seen = f->causal ? some * (k - (some - 1) / 2) : q * k;
      if (f->window) seen = std::min(seen, some * static_cast<double>(f->window));
      pairs += seen;
    }
  return pairs * f->heads / f->kv_heads;
}
inline double flash_bytes(const lensor_flash* f) {
  const double q = static_cast<double>(f->q_offsets[f->sequences]),
               k = static_cast<double>(f->k_offsets[f->sequences]);
  return 2 * f->head_width * static_cast<double>(dtype_bytes(f->dtype)) * (q * f->heads + k * f->kv_heads);
}
inline int32_t flash_compute(const lensor_flash* f) {
  return f->compute == LENSOR_BF16 ? LENSOR_BF16 : LENSOR_F32;
}
inline Work flash(const lensor_flash* f) {
  return {"attention", 4 * flash_pairs(f) * f->head_width, flash_bytes(f), flash_compute(f),
          shape({f->heads, f->q_offsets[f->sequences], f->head_width})};
}
// Scores again, and four products of their size.
inline Work flash_grad(const lensor_flash_grad* g) {
  return {"attention gradient", 10 * flash_pairs(g->of) * g->of->head_width, 2 * flash_bytes(g->of),
          flash_compute(g->of), shape({g->of->heads, g->of->q_offsets[g->of->sequences], g->of->head_width})};
}
inline Work unary_grad(lensor_unary, const lensor_view* x, const lensor_view* y, const lensor_view* dy,
                       const lensor_view* dx) {
  return {"unary gradient", 2 * count(dx), moved(x, y, dy, dx)};
}
inline Work softmax_grad(const lensor_view* y, const lensor_view* dy, const lensor_view* dx, int32_t) {
  return {"softmax gradient", 4 * count(dx), moved(y, dy, dx)};
}
inline Work scatter_add(const lensor_view* x, const lensor_view* index, const lensor_view*) {
  return {"scatterAdd", count(x), moved(x, x, x, index)};
}
inline Work cumsum(const lensor_view* x, const lensor_view* out, int32_t) {
  return {"cumsum", count(x), moved(x, out)};
}
inline Work sort(const lensor_view* x, const lensor_view* values, const lensor_view* indices, int32_t) {
  return {"sort", count(x) * std::log2(1.0 + static_cast<double>(last(x))), moved(x, values, indices)};
}
inline Work scan(const lensor_view* a, const lensor_view* x, const lensor_view* out, int32_t) {
  return {"scan", 2 * count(x), moved(a, x, out)};
}
inline Work norm(int32_t, const lensor_view* x, const float*, const float*, float, const lensor_view* y) {
  return {"norm", 5 * count(x), moved(x, y)};
}
inline Work norm_grad(int32_t, const lensor_view* x, const float*, float, const lensor_view* dy,
                      const lensor_view* dx, float*, float*) {
  return {"norm gradient", 10 * count(x), moved(x, dy, dx)};
}
inline Work rotate(const lensor_view* x, const int64_t*, const float*, const float*, int32_t,
                   const lensor_view* out) {
  return {"rotate", 3 * count(x), moved(x, out)};
}
inline Work glu(lensor_unary, const lensor_view* gate, const lensor_view* up, const lensor_view* out) {
  return {"glu", 2 * count(out), moved(gate, up, out)};
}
inline Work glu_grad(lensor_unary, const lensor_view* gate, const lensor_view* up, const lensor_view* dy,
                     const lensor_view* dgate, const lensor_view* dup) {
  return {"glu gradient", 5 * count(dy), moved(gate, up, dy, dgate, dup)};
}
inline Work loss_rows(const lensor_loss_rows* l) {
  const double n = static_cast<double>(l->rows) * static_cast<double>(l->classes);
  return {"loss", (l->factor ? 5 : 3) * n, floats((l->factor ? 2 : 1) * n), LENSOR_F32,
          shape({l->rows, l->classes})};
}
inline Work unfold(const lensor_view* x, int64_t, int64_t, int64_t, const lensor_view* out) {
  return {"unfold", 0, moved(x, out)};
}
inline Work fold(const lensor_view* x, int64_t, int64_t, int64_t, const lensor_view* out) {
  return {"fold", count(x), moved(x, out)};
}
inline Work cholesky(const lensor_view* x, const lensor_view* out) {
  return {"cholesky", count(x) * static_cast<double>(last(x)) / 3, moved(x, out)};
}
inline Work solve_triangular(const lensor_view* a, const lensor_view* y, int32_t, int32_t,
                             const lensor_view* x) {
  return {"solveTriangular", count(x) * static_cast<double>(last(a)), moved(a, y, x)};
}
inline Work eigen(const lensor_view* x, const lensor_view* values, const lensor_view* vectors) {
  return {"eigh", 9 * count(x) * static_cast<double>(last(x)), moved(x, values, vectors)};
}
inline Work mark_smallest(const lensor_view* x, int64_t, const lensor_view* out) {
  return {"markSmallest", 4 * count(x), moved(x, out)};
}
inline Work sparse_sweep(const lensor_view* w, const lensor_view* u, int64_t, int32_t, int32_t, double,
                         const lensor_view* out) {
  return {"sparseSweep", count(w) * static_cast<double>(last(w)), moved(w, u, out)};
}
inline Work round_groups(const lensor_round_groups* g) {
  return {"roundGroups", 8 * count(g->w), moved(g->w, g->values)};
}
inline Work gptq_sweep(const lensor_gptq* g) {
  return {"gptqSweep", count(g->w) * static_cast<double>(last(g->w)), moved(g->w, g->u, g->values)};
}
inline Work sum_squares(const lensor_view* x, float*) { return {"sumSquares", 2 * count(x), moved(x)}; }
inline Work optimizer_step(const lensor_optimizer_step* s) {
  const double n = static_cast<double>(s->count),
               state = (s->state1 || s->code1 ? 1 : 0) + (s->state2 || s->code2 ? 1 : 0);
  return {"optimizer", (4 + 4 * state) * n,
          n * (8 + static_cast<double>(dtype_bytes(s->gradient_dtype)) + state * (s->code1 ? 2 : 8))};
}

// ---------------------------------------------------------------- Attention Matching
inline Work match_look(const lensor_match* m) {
  double pairs = 0;
  for (int32_t h = 0; h < m->heads; h++)
    pairs += static_cast<double>(m->queries) * static_cast<double>(m->key_count[h]);
  return {
      "match look", 4 * pairs * m->head_width,
      floats(2 * static_cast<double>(m->heads) * static_cast<double>(m->keys + m->queries) * m->head_width),
      LENSOR_F32, shape({m->heads, m->queries, m->keys})};
}
inline Work match_fit(const lensor_match* m) {
  double flops = 0;
  for (int32_t h = 0; h < m->heads; h++) {
    const double t = static_cast<double>(m->wanted[h]), n = static_cast<double>(m->queries);
    flops += 4 * n * t * m->head_width + 2 * n * t * std::min(n, t);
  }
  return {"match fit", flops, floats(2 * static_cast<double>(m->heads * m->queries) * m->head_width),
          LENSOR_F32, shape({m->heads, m->queries, m->room})};
}

} // namespace lensor::work
