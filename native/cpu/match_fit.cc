// The fits of Attention Matching, head by head: weights of picked keys that bring back the mass of all,
// values that bring back the mix of all, and how little a fit leaves by the number of keys. The unknowns
// solved for are differences, from 1 and from the kept values: what the queries do not decide stays as it
// was. Where there are fewer queries than keys the same solution is found from the products of queries.
#include "match_fit.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr double kLeast = 1e-13; // of a column that is its own, for it to count

void gather_picks(const Fit& f) {
  const MatchHead& head = f.head;
  const int32_t* picks = head.picks();
  memset(f.k, 0, (size_t)(head.d * f.columns) * 4);
  memset(f.v, 0, (size_t)(f.t * f.width) * 4);
  for (int64_t a = 0; a < f.t; a++) {
    const float* k = head.k(picks[a]);
    for (int64_t i = 0; i < head.d; i++) f.k[i * f.columns + a] = k[i];
    memcpy(f.v + a * f.width, head.v(picks[a]), (size_t)head.d * 4);
  }
}

// Phi_S, with the bits that match_look's own have.
lensor_status phi_of_picks(const Fit& f) {
  const MatchHead& head = f.head;
  const float* bias = head.bias();
  return over_queries(f, [&](int64_t first, int64_t count, int32_t thread) {
    float* q = f.scratch + thread * kSide * head.d;
    const float scale = match_scale(head.m);
    for (int64_t i = 0; i < count * head.d; i++) q[i] = head.q(first)[i] * scale;
    float* to = f.x + first * f.row();
    multiply<float>(count, f.columns, head.d, q, head.d * 4, 4, f.k, f.columns, to, f.row(), true);
    for (int64_t r = 0; r < count; r++, to += f.row()) {
      if (bias)
        for (int64_t a = 0; a < f.t; a++) to[a] += bias[head.picks()[a]] * kLog2e;
      const f32v minus = set1(-head.top()[first + r]);
      for (int64_t a = 0; a < f.columns; a += 16)
        store(to + a, exp2_of<float>(least_exponent(add(load(to + a), minus))));
      for (int64_t a = f.t; a < f.columns; a++) to[a] = 0;
    }
  });
}

} // namespace

lensor_status prepare(const Fit& f, int64_t sides, double part, double* room) {
  const int64_t n = f.order(), wide = (sides + 7) / 8 * 8;
  if (f.dual) {
    if (const auto status = gram(f.context, n, f.columns, f.x, 1, f.row(), f.g)) return status;
    for (int64_t i = 0; i < n; i++)
      for (int64_t c = 0; c < wide; c++) f.y[i * wide + c] = c < sides ? f.x[i * f.row() + f.columns + c] : 0;
  } else {
    if (const auto status = gram(f.context, n + sides, f.head.n, f.x, f.row(), 1, f.g)) return status;
    const int64_t stride = tiled(n + sides);
    for (int64_t i = 0; i < n; i++)
      for (int64_t c = 0; c < wide; c++) f.y[i * wide + c] = c < sides ? f.g[(n + c) * stride + i] : 0;
    // From here on the columns alone.
    for (int64_t i = 0; i < n; i++)
      memmove(f.g + i * tiled(n), f.g + i * stride, (size_t)(i + 1) * sizeof(double));
  }
  const double s2 = largest_eigenvalue(n, f.g, tiled(n), room);
  for (int64_t i = 0; i < n; i++) f.g[i * tiled(n) + i] += part * s2;
  return factorize(f.context, n, f.g, kLeast);
}

namespace {

// x becomes X; behind it out - X values, of which the squares are added up, in parts of out's own.
lensor_status leave(const Fit& f, bool first_time, double* error) {
  const MatchHead& head = f.head;
  double *sums = f.w + f.columns, *all = sums + (head.n + kSide - 1) / kSide;
  const lensor_status status = over_queries(f, [&](int64_t first, int64_t count, int32_t) {
    float* x = f.x + first * f.row();
    if (first_time)
      for (int64_t r = 0; r < count; r++) {
        float* row = x + r * f.row();
        const double by = 1 / row_sum(f, row, f.w);
        for (int64_t a = 0; a < f.columns; a++) row[a] = (float)(row[a] * f.w[a] * by);
      }
    multiply<float>(count, f.width, f.t, x, f.row() * 4, 4, f.v, f.width, x + f.columns, f.row(), true);
    double left = 0, whole = 0;
    for (int64_t r = 0; r < count; r++) {
      float* rest = x + r * f.row() + f.columns;
      const float* out = head.out(first + r);
      for (int64_t i = 0; i < head.d; i++) {
        rest[i] = out[i] - rest[i];
        left += (double)rest[i] * rest[i];
        whole += (double)out[i] * out[i];
      }
    }
    sums[first / kSide] = left, all[first / kSide] = whole;
  });
  double left = 0, whole = 0;
  for (int64_t b = 0; b * kSide < head.n; b++) left += sums[b], whole += all[b];
  *error = whole > 0 ? left / whole : 0;
  return status;
}

lensor_status fit_values(const Fit& f) {
  const MatchHead& head = f.head;
  if (const auto status = prepare(f, head.d, head.m->ridge, f.w + f.columns)) return status;
  const int64_t wide = (head.d + 7) / 8 * 8;
  if (const auto status = solve_factor(f.context, f.order(), f.g, f.y, wide)) return status;
  return in_chunks(f.context, f.t, 16, [&](int64_t begin, int64_t end, int32_t) {
    for (int64_t a = begin; a < end; a++) {
      float* v = f.v + a * f.width;
      for (int64_t c = 0; c < wide; c += 8) {
        f64v sum = set8(0);
        if (f.dual)
          for (int64_t i = 0; i < head.n; i++)
            sum = plus8(sum, set8(f.x[i * f.row() + a]), load8(f.y + i * wide + c));
        else
          sum = load8(f.y + a * wide + c);
        double some[8];
        store8(some, sum);
        for (int64_t i = 0; i < least(8, head.d - c); i++) v[c + i] = (float)(v[c + i] + some[i]);
      }
      memcpy(head.m->values + (head.h * head.m->room + a) * head.d, v, (size_t)head.d * 4);
    }
  });
}

// |out|^2 that columns of A leave, from the factor of their products with out's own beside them: each column
// takes away the squares of its entry in out's rows.
lensor_status fit_curve(const Fit& f) {
  const MatchHead& head = f.head;
  for (int64_t i = 0; i < head.n; i++) {
    float* row = f.x + i * f.row();
    const float by = 1 / head.mass()[i];
    for (int64_t a = 0; a < f.columns; a++) row[a] *= by;
    memcpy(row + f.columns, head.out(i), (size_t)head.d * 4);
  }
  const int64_t n = f.columns + head.d, stride = tiled(n);
  if (const auto status = gram(f.context, n, head.n, f.x, f.row(), 1, f.g)) return status;
  const double s2 = largest_eigenvalue(f.columns, f.g, stride, f.w);
  double whole = 0;
  for (int64_t c = 0; c < head.d; c++) whole += f.g[(f.columns + c) * stride + f.columns + c];
  for (int64_t a = 0; a < f.t; a++) f.g[a * stride + a] += head.m->ridge * s2;
  if (const auto status = factorize(f.context, n, f.g, kLeast)) return status;
  double left = whole;
  for (int64_t a = 0; a < f.t; a++) {
    for (int64_t c = 0; c < head.d; c++) {
      const double z = f.g[(f.columns + c) * stride + a];
      left -= z * z;
    }
    head.m->curve[head.h * head.m->room + a] = whole > 0 ? (left > 0 ? left / whole : 0) : 0;
  }
  return LENSOR_OK;
}

lensor_status fit_head(const Fit& f) {
  const lensor_match* m = f.head.m;
  gather_picks(f);
  if (const auto status = phi_of_picks(f)) return status;
  if (m->curve) return fit_curve(f);
  if (m->solve)
    if (const auto status = solve_weights(f)) return status;
  for (int64_t a = 0; a < f.columns; a++) f.w[a] = a < f.t ? f.head.weights()[a] : 0;
  double* errors = m->errors + f.head.h * 2;
  if (const auto status = leave(f, true, errors)) return status;
  errors[1] = errors[0];
  if (!m->values) return LENSOR_OK;
  if (const auto status = fit_values(f)) return status;
  return leave(f, false, errors + 1);
}

} // namespace

lensor_status match_fit(lensor_context* context, const lensor_match* m) {
  for (int64_t h = 0; h < m->heads; h++) {
    const MatchHead head(m, h);
    const int64_t t = m->wanted[h], columns = padded(t), width = padded(head.d), n = head.n;
    if (!t) {
      if (m->errors) m->errors[2 * h] = m->errors[2 * h + 1] = 1;
      continue;
    }
    const bool dual = n < t && !m->curve;
    const int64_t order = dual ? n : columns, full = tiled(dual ? n : columns + head.d);
    Scratch room(context);
    Fit f{context, head,    t,       columns, width,   dual,   nullptr,
          nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
    f.k = room.take<float>(head.d * columns);
    f.v = room.take<float>(t * width);
    f.x = room.take<float>(n * f.row());
    f.g = room.take<double>(full * full);
    f.y = room.take<double>(most(order, 1) * (width + 8));
    f.w = room.take<double>(2 * columns + 3 * most(n, columns));
    f.scratch = room.take<float>(context->threads * kSide * head.d);
    if (room.failed()) return LENSOR_OUT_OF_MEMORY;
    memset(f.x, 0, (size_t)(n * f.row()) * 4);
    if (const auto status = fit_head(f)) return status;
  }
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
