// What the parts of Attention Matching share: a layer's heads, and how queries see keys in blocks of kSide
// queries. Relies on flash attention's tile; an element has the same bits in every part. See vec.h for what
// this file may include.
#pragma once
#include "eight.h"
#include "flash_tile.h"
#include "scratch.h"

namespace lensor::LENSOR_ISA {

// One head of a lensor_match.
struct MatchHead {
  const lensor_match* m;
  int64_t h, keys, n, d;

  MatchHead(const lensor_match* m, int64_t h)
      : m(m), h(h), keys(m->key_count[h]), n(m->queries), d(m->head_width) {}
  const float* q(int64_t i) const { return m->q + (h * n + i) * d; }
  const float* k(int64_t j) const { return m->k + (h * m->keys + j) * d; }
  const float* v(int64_t j) const { return m->v + (h * m->keys + j) * d; }
  const float* bias() const { return m->key_bias ? m->key_bias + h * m->keys : nullptr; }
  float* top() const { return m->top + h * n; }
  float* mass() const { return m->mass + h * n; }
  float* out(int64_t i) const { return m->out + (h * n + i) * d; }
  int32_t* picks() const { return m->picks + h * m->room; }
  float* weights() const { return m->weights + h * m->room; }
};

// What a query's row of Phi, and its mass, are multiplied by where weights are looked for.
LENSOR_INLINE double query_weight(const MatchHead& head, int64_t i) {
  const double root = sqrt((double)head.mass()[i]);
  double by = 1;
  for (int32_t power = 0; power < head.m->even_queries; power++) by /= root;
  return by;
}

// What queries are multiplied by: scores come in units of log 2.
LENSOR_INLINE float match_scale(const lensor_match* m) { return m->scale * kLog2e; }

// Phi of one head whole, [keys][row]: of each key a row over the queries, filled up with 0 to kSide. Also
// top, mass and out, and of `scores` where it is there the head's own row.
struct MatchPhi {
  float* data;
  int64_t row;
};

// Heads [from, to), and where one of them is wanted whole its Phi (match_look.cc).
lensor_status look_at(lensor_context*, const lensor_match*, int64_t from, int64_t to, const MatchPhi* phi);
// Picks for one head whose Phi is there (match_omp.cc).
lensor_status pursue(lensor_context*, const MatchHead&, const MatchPhi&);

// ---- sums and systems in f64 (match_solve.cc); a row of a matrix has `stride` values, a multiple of kTile
constexpr int64_t kTile = 32;
LENSOR_INLINE int64_t tiled(int64_t n) { return (n + kTile - 1) / kTile * kTile; }

// g[a][b] = sum over k < depth of x[k along + a down] x[k along + b down], for b <= a < n; what is beyond n
// is 0.
lensor_status gram(lensor_context*, int64_t n, int64_t depth, const float* x, int64_t along, int64_t down,
                   double* g);
// The lower factor, in place. A pivot that is not above `least` of what stood on its place becomes that: a
// column that the others make up takes no part.
lensor_status factorize(lensor_context*, int64_t n, double* g, double least);
// x = (L L^T)^-1 x, x [n][columns], columns a multiple of 8.
lensor_status solve_factor(lensor_context*, int64_t n, const double* l, double* x, int64_t columns);
// The same for the first `n` rows and one right side, without threads.
void solve_one(int64_t n, const double* l, int64_t stride, double* x);
// The largest eigenvalue of g, none of whose elements is negative, to about 1 %; `room` holds 2 n.
double largest_eigenvalue(int64_t n, const double* g, int64_t stride, double* room);

} // namespace lensor::LENSOR_ISA
