// Eigenvalues and eigenvectors of symmetric matrices, in f64 inside: Householder's reflections to three
// diagonals, then QL steps with Wilkinson's shift (Golub & Van Loan, 8.3; EISPACK's tred2 and tql2). The
// steps' turns are written down and then turned into the vectors, some of their components at a time, so that
// threads share that work and no bit depends on how.
#include "kernels.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int64_t kPart = 32; // components of all vectors that are turned together
constexpr int kLanes = 16;    // sums side by side in a scalar product, added in their order

double dot(const double* __restrict a, const double* __restrict b, int64_t n) {
  double sum[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; l++) sum[l] += a[i + l] * b[i + l];
  double all = 0;
  for (int l = 0; l < kLanes; l++) all += sum[l];
  for (; i < n; i++) all += a[i] * b[i];
  return all;
}

// A turn of the plane of vectors at and at + 1.
struct Turn {
  int32_t at;
  double c, s;
};

struct Problem {
  int64_t n;
  double* a;           // [n][n]; row k keeps the k-th reflection's vector from k + 1 on
  double *beta, *w;    // [n]
  double *d, *e;       // [n]: the diagonal, and below it
  Turn* turns;         // [room]
  int64_t room, count; // of turns
};

// Rows k + 1 and below, [begin, end) of them: what the reflection makes of w = beta A v.
template <class Run> lensor_status reflect(Problem& p, int64_t k, const Run& run) {
  const int64_t n = p.n, m = n - k - 1;
  double* v = p.a + k * n + k + 1;
  const double length = sqrt(dot(v, v, m)), first = v[0];
  p.d[k] = p.a[k * n + k];
  // Nothing is left to bring to zero.
  if (dot(v + 1, v + 1, m - 1) == 0) {
    p.e[k] = first, p.beta[k] = 0;
    return LENSOR_OK;
  }
  const double alpha = first > 0 ? -length : length;
  v[0] = first - alpha;
  p.e[k] = alpha;
  const double beta = p.beta[k] = 2 / dot(v, v, m);
  lensor_status status = run(m, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) p.w[i] = beta * dot(p.a + (k + 1 + i) * n + k + 1, v, m);
  });
  if (status) return status;
  const double half = beta / 2 * dot(p.w, v, m);
  for (int64_t i = 0; i < m; i++) p.w[i] -= half * v[i];
  return run(m, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      double* __restrict row = p.a + (k + 1 + i) * n + k + 1;
      const double* __restrict vs = v, * __restrict ws = p.w;
      const double vi = v[i], wi = p.w[i];
      for (int64_t j = 0; j < m; j++) row[j] -= vi * ws[j] + wi * vs[j];
    }
  });
}

// QL steps on the three diagonals; their turns are kept. False where they do not come to an end.
bool diagonalize(Problem& p) {
  const int64_t n = p.n;
  double *d = p.d, *e = p.e;
  for (int64_t l = 0; l < n; l++)
    for (int tries = 0;; tries++) {
      int64_t m = l;
      for (; m + 1 < n; m++) {
        const double size = fabs(d[m]) + fabs(d[m + 1]);
        if (fabs(e[m]) <= 2.3e-16 * size) break;
      }
      if (m == l) break;
      if (tries == 60 || p.count + (m - l) > p.room) return false;
      double g = (d[l + 1] - d[l]) / (2 * e[l]), r = sqrt(g * g + 1);
      g = d[m] - d[l] + e[l] / (g + (g < 0 ? -r : r));
      double s = 1, c = 1, q = 0;
      int64_t i = m - 1;
      for (; i >= l; i--) {
        double f = s * e[i];
        const double b = c * e[i];
        r = sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r == 0) {
          d[i + 1] -= q, e[m] = 0;
          break;
        }
        s = f / r, c = g / r;
        g = d[i + 1] - q;
        r = (d[i] - g) * s + 2 * c * b;
        q = s * r;
        d[i + 1] = g + q;
        g = c * r - b;
        p.turns[p.count++] = {(int32_t)i, c, s};
      }
      if (i >= l) continue;
      d[l] -= q, e[l] = g, e[m] = 0;
    }
  for (int64_t i = 0; i < n; i++)
    if (!(fabs(d[i]) <= 1.7e308)) return false;
  return true;
}

// Components [first, first + some) of all vectors: rows of the reflections' product, then the turns. part:
// [n][kPart].
void vectors(const Problem& p, int64_t first, int64_t some, double* row, double* part) {
  const int64_t n = p.n;
  for (int64_t c = 0; c < some; c++) {
    for (int64_t i = 0; i < n; i++) row[i] = 0;
    row[first + c] = 1;
    for (int64_t k = 0; k + 2 < n; k++) {
      if (p.beta[k] == 0) continue;
      const int64_t m = n - k - 1;
      const double* __restrict v = p.a + k * n + k + 1;
      double* __restrict x = row + k + 1;
      const double by = p.beta[k] * dot(x, v, m);
      for (int64_t i = 0; i < m; i++) x[i] -= by * v[i];
    }
    for (int64_t i = 0; i < n; i++) part[i * kPart + c] = row[i];
  }
  for (int64_t t = 0; t < p.count; t++) {
    const Turn turn = p.turns[t];
    double* __restrict x = part + turn.at * kPart, * __restrict y = x + kPart;
    for (int i = 0; i < kPart; i++) {
      const double h = y[i];
      y[i] = turn.s * x[i] + turn.c * h;
      x[i] = turn.c * x[i] - turn.s * h;
    }
  }
}

} // namespace

lensor_status eigen(lensor_context* context, const lensor_view* x, const lensor_view* values,
                    const lensor_view* all) {
  const int64_t batch = x->shape[0], n = x->shape[1];
  if (elements(x) == 0) return LENSOR_OK;
  Scratch scratch(context);
  Problem p = {};
  p.n = n, p.room = 4 * n * n + 64 * n;
  p.a = scratch.take<double>(n * n), p.beta = scratch.take<double>(n), p.w = scratch.take<double>(n);
  p.d = scratch.take<double>(n), p.e = scratch.take<double>(n), p.turns = scratch.take<Turn>(p.room);
  const int64_t own = n + n * kPart;
  double* work = scratch.take<double>(own * context->threads);
  int32_t* order = scratch.take<int32_t>(n);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  const auto run = [&](int64_t items, const auto& body) {
    return in_chunks(context, items, most(1, kGrain / (2 * n)),
                     [&](int64_t begin, int64_t end, int) { body(begin, end); });
  };
  for (int64_t b = 0; b < batch; b++) {
    const float* from = (const float*)x->data + b * n * n;
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j <= i; j++) p.a[i * n + j] = p.a[j * n + i] = from[i * n + j];
    for (int64_t i = 0; i < n; i++) p.beta[i] = 0;
    for (int64_t k = 0; k + 2 < n; k++)
      if (const lensor_status status = reflect(p, k, run)) return status;
    for (int64_t k = n < 2 ? 0 : n - 2; k < n; k++)
      p.d[k] = p.a[k * n + k], p.e[k] = k + 1 < n ? p.a[k * n + k + 1] : 0;
    p.count = 0;
    if (!diagonalize(p)) return LENSOR_BAD_VALUE;
    // From the smallest; insertion, since they come nearly in order.
    for (int64_t i = 0; i < n; i++) {
      int64_t at = i;
      for (; at > 0 && p.d[order[at - 1]] > p.d[i]; at--) order[at] = order[at - 1];
      order[at] = (int32_t)i;
    }
    for (int64_t i = 0; i < n; i++) ((float*)values->data)[b * n + i] = (float)p.d[order[i]];
    float* to = (float*)all->data + b * n * n;
    const lensor_status status =
        in_chunks(context, (n + kPart - 1) / kPart, 1, [&](int64_t begin, int64_t end, int thread) {
          double *row = work + thread * own, *part = row + n;
          for (int64_t item = begin; item < end; item++) {
            const int64_t first = item * kPart, some = least(kPart, n - first);
            for (int64_t i = 0; i < n * kPart; i++) part[i] = 0;
            vectors(p, first, some, row, part);
            for (int64_t i = 0; i < n; i++)
              for (int64_t c = 0; c < some; c++) to[i * n + first + c] = (float)part[order[i] * kPart + c];
          }
        });
    if (status) return status;
  }
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
