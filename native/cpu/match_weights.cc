// Weights of picked keys that bring back the mass of all: least squares that are held together, then steps
// within the bounds. What is solved for is the difference from one weight for all, so that what the queries
// do not decide stays even.
#include "match_fit.h"

namespace lensor::LENSOR_ISA {

namespace {

LENSOR_INLINE double clamp(double x, double low, double high) {
  return !(x > low) ? low : x > high ? high : x;
}

// out = Phi_S^T r.
void column_sums(const Fit& f, const double* r, double* out) {
  memset(out, 0, (size_t)f.columns * sizeof(double));
  for (int64_t i = 0; i < f.head.n; i++) {
    const float* row = f.x + i * f.row();
    const f64v by = set8(r[i]);
    for (int64_t a = 0; a < f.columns; a += 8) store8(out + a, plus8(load8(out + a), by, widen8(row + a)));
  }
}

// Rows of Phi_S times what the queries count for, and what they come near.
void weigh_queries(const Fit& f, double* mass) {
  for (int64_t i = 0; i < f.head.n; i++) {
    const double m = f.head.mass()[i], by = query_weight(f.head, i);
    float* row = f.x + i * f.row();
    for (int64_t a = 0; by != 1 && a < f.columns; a++) row[a] = (float)(row[a] * by);
    mass[i] = m * by;
  }
}

// One weight for all that comes nearest; what the rows leave of it stands behind them then.
void start_weights(const Fit& f, const double* mass, double* w) {
  double up = 0, down = 0;
  for (int64_t a = 0; a < f.columns; a++) w[a] = a < f.t;
  for (int64_t i = 0; i < f.head.n; i++) {
    const double one = row_sum(f, f.x + i * f.row(), w);
    f.x[i * f.row() + f.columns] = (float)one;
    up += one * mass[i], down += one * one;
  }
  const double same = down > 0 ? up / down : 1;
  for (int64_t a = 0; a < f.t; a++) w[a] = same;
  for (int64_t i = 0; i < f.head.n; i++) {
    float* behind = f.x + i * f.row() + f.columns;
    *behind = (float)(mass[i] - same * *behind);
  }
}

// Steps of 1 / |Phi_S|^2 down the gradient, each brought back within the bounds. `r` [n], `step` [columns].
lensor_status descend(const Fit& f, const double* mass, double* w, double* r, double* step) {
  const lensor_match* m = f.head.m;
  const int64_t n = f.head.n;
  for (int64_t a = 0; a < f.columns; a++) step[a] = a < f.t;
  double rate = 0;
  // The norm by power iteration from the vector of ones, which is close since nothing is negative.
  for (int round = 0; round < 4; round++) {
    double length = 0;
    for (int64_t a = 0; a < f.t; a++) length += step[a] * step[a];
    if (!(length > 0)) return LENSOR_OK;
    for (int64_t a = 0; a < f.t; a++) step[a] /= sqrt(length);
    double value = 0;
    for (int64_t i = 0; i < n; i++) {
      r[i] = row_sum(f, f.x + i * f.row(), step);
      value += r[i] * r[i];
    }
    if (!(value > 0)) return LENSOR_OK;
    rate = 1 / value;
    column_sums(f, r, step);
  }
  for (int round = 0; round < m->steps; round++) {
    if (f.context->interrupted(f.context)) return LENSOR_INTERRUPTED;
    for (int64_t i = 0; i < n; i++) r[i] = row_sum(f, f.x + i * f.row(), w) - mass[i];
    column_sums(f, r, step);
    for (int64_t a = 0; a < f.t; a++) w[a] = clamp(w[a] - rate * step[a], m->low, m->high);
  }
  return LENSOR_OK;
}

} // namespace

lensor_status solve_weights(const Fit& f) {
  const lensor_match* m = f.head.m;
  const int64_t n = f.head.n;
  double *w = f.w, *mass = w + f.columns, *r = mass + n, *step = r + n;
  weigh_queries(f, mass);
  start_weights(f, mass, w);
  if (const auto status = prepare(f, 1, m->even, r)) return status;
  if (const auto status = solve_factor(f.context, f.order(), f.g, f.y, 8)) return status;
  if (f.dual) {
    for (int64_t i = 0; i < n; i++) r[i] = f.y[i * 8];
    column_sums(f, r, step);
  } else
    for (int64_t a = 0; a < f.columns; a++) step[a] = f.y[a * 8];
  for (int64_t a = 0; a < f.t; a++) w[a] = clamp(w[a] + step[a], m->low, m->high);
  if (m->steps)
    if (const auto status = descend(f, mass, w, r, step)) return status;
  for (int64_t a = 0; a < f.t; a++) f.head.weights()[a] = (float)w[a];
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
