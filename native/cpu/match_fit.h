// One head's fit while it is made, as the files of the fits share it (match_fit.cc, match_weights.cc). See
// vec.h for what this file may include.
#pragma once
#include "match.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

struct Fit {
  lensor_context* context;
  MatchHead head;
  int64_t t, columns, width; // picks; the same, and head_width, as multiples of 16
  bool dual;
  float *k, *v;   // picked keys [d][columns] and values [t][width]
  float* x;       // [n][columns + width]: Phi_S, then X; behind them what they are fitted to
  double *g, *y;  // the products; right sides
  double* w;      // [columns], and room for three vectors over the queries and one over the picks
  float* scratch; // for each thread [kSide][d]

  int64_t row() const { return columns + width; }
  int64_t order() const { return dual ? head.n : columns; } // of the system
};

// body(first, count) for blocks of queries.
template <class F> lensor_status over_queries(const Fit& f, const F& body) {
  return in_chunks(f.context, (f.head.n + kSide - 1) / kSide, 1,
                   [&](int64_t begin, int64_t end, int32_t thread) {
                     for (int64_t b = begin; b < end; b++)
                       body(b * kSide, least(kSide, f.head.n - b * kSide), thread);
                   });
}

// What one row of Phi_S makes with w, in f64.
LENSOR_INLINE double row_sum(const Fit& f, const float* row, const double* w) {
  f64v even = set8(0), odd = even;
  for (int64_t a = 0; a < f.columns; a += 16) {
    even = plus8(even, widen8(row + a), load8(w + a));
    odd = plus8(odd, widen8(row + a + 8), load8(w + a + 8));
  }
  return sum8(add8(even, odd));
}
// The system's matrix, s^2 `part` on its diagonal, as its factor. What the columns are fitted to stands
// behind them in x, `sides` wide, and its products with them come to y [order][padded to 8]; of a dual system
// itself. `room` holds two vectors of the system's order.
lensor_status prepare(const Fit& f, int64_t sides, double part, double* room);
// w, for Phi_S in x, which is spoilt; to f.head.weights().
lensor_status solve_weights(const Fit& f);

} // namespace lensor::LENSOR_ISA
