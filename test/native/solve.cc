// The Cholesky factor and triangular systems: what they solve is put together again in double, and the bits
// do not depend on the batch or the threads.
#include "tolerance.h"
#include <algorithm>
#include <limits>

using namespace lensor::test;

namespace {

// Positive definite [batch, n, n], its upper half spoilt, since only the lower one is read.
std::vector<float> definite(int64_t batch, int64_t n, uint64_t seed) {
  const auto root = noise(batch * n * n, seed);
  std::vector<float> a(batch * n * n, std::numeric_limits<float>::quiet_NaN());
  for (int64_t b = 0; b < batch; b++)
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j <= i; j++) {
        double sum = i == j ? 1 : 0;
        for (int64_t k = 0; k < n; k++)
          sum += (double)root[(b * n + i) * n + k] * root[(b * n + j) * n + k] / n;
        a[(b * n + i) * n + j] = (float)sum;
      }
  return a;
}

std::vector<float> cholesky(const lensor_ops& ops, Context* context, std::vector<float> a, int64_t batch,
                            int64_t n, lensor_status wanted = LENSOR_OK) {
  std::vector<float> out(a.size(), 9);
  const lensor_view from = view(a, {batch, n, n}), to = view(out, {batch, n, n});
  CHECK_EQ(ops.cholesky(context, &from, &to), wanted);
  return out;
}

std::vector<float> solve(const lensor_ops& ops, Context* context, std::vector<float> a, std::vector<float> y,
                         int64_t batch, int64_t n, bool upper, bool transposed,
                         lensor_status wanted = LENSOR_OK) {
  std::vector<float> x(y.size(), 9);
  const int64_t m = n ? (int64_t)y.size() / (batch * n) : 0;
  const lensor_view as = view(a, {batch, n, n}), ys = view(y, {batch, n, m}), xs = view(x, {batch, n, m});
  CHECK_EQ(ops.solve_triangular(context, &as, &ys, upper, transposed, &xs), wanted);
  return x;
}

// A well-conditioned triangle; what stands in the other half must not be read.
std::vector<float> triangle(int64_t batch, int64_t n, bool upper) {
  auto a = noise(batch * n * n, 3);
  for (int64_t b = 0; b < batch; b++)
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < n; j++) {
        float& place = a[(b * n + i) * n + j];
        if (i == j)
          place = (place < 0 ? -1 : 1) * (1 + std::abs(place));
        else
          place = (i < j) == upper ? place / (float)n : std::numeric_limits<float>::quiet_NaN();
      }
  return a;
}

} // namespace

TEST("the Cholesky factor times its transpose is the matrix") {
  const Tolerance within = tolerance(ops, "Cholesky");
  for (int64_t n : {0, 1, 15, 16, 17, 63, 64, 65, 150}) {
    const int64_t batch = 2;
    const auto a = definite(batch, n, n), l = cholesky(ops, context, a, batch, n);
    for (int64_t b = 0; b < batch; b++)
      for (int64_t i = 0; i < n; i++) {
        for (int64_t j = i + 1; j < n; j++) CHECK_EQ(l[(b * n + i) * n + j], 0);
        CHECK(l[(b * n + i) * n + i] > 0);
        for (int64_t j = 0; j <= i; j++) {
          double sum = 0;
          for (int64_t k = 0; k <= j; k++) sum += (double)l[(b * n + i) * n + k] * l[(b * n + j) * n + k];
          CHECK_NEAR(sum, a[(b * n + i) * n + j], within);
        }
      }
  }
}

TEST("a Cholesky factor has the same bits alone, in a batch, and on any number of threads") {
  for (int64_t n : {100, 300}) {
    const auto a = definite(2, n, 7);
    Context serial(1), threaded(4);
    const auto all = cholesky(ops, &serial, a, 2, n);
    CHECK_SAME(cholesky(ops, &threaded, a, 2, n), all);
    CHECK_SAME(cholesky(ops, context, {a.begin() + n * n, a.end()}, 1, n),
               std::vector<float>(all.begin() + n * n, all.end()));
    // The leading part of a factor is the factor of the leading part.
    const int64_t part = 70;
    std::vector<float> corner, wanted;
    for (int64_t i = 0; i < part; i++)
      for (int64_t j = 0; j < part; j++) corner.push_back(a[i * n + j]), wanted.push_back(all[i * n + j]);
    CHECK_SAME(cholesky(ops, context, corner, 1, part), wanted);
  }
}

TEST("a matrix that is not positive definite has no Cholesky factor") {
  for (int64_t n : {1, 20, 130})
    for (int64_t at : {(int64_t)0, n / 2, n - 1})
      for (const float bad : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN()}) {
        auto a = definite(2, n, 5);
        a[n * n + at * n + at] = bad;
        cholesky(ops, context, a, 2, n, LENSOR_BAD_VALUE);
        cholesky(ops, context, {a.begin() + n * n, a.end()}, 1, n, LENSOR_BAD_VALUE);
      }
}

TEST("triangular systems are solved, upper and lower, transposed or not") {
  const Tolerance within = tolerance(ops, "triangular system");
  for (int64_t n : {0, 1, 2, 7, 8, 15, 16, 17, 100})
    for (int64_t m : {1, 15, 16, 17, 64, 65, 130})
      for (const bool upper : {false, true})
        for (const bool transposed : {false, true}) {
          const int64_t batch = 2;
          const auto a = triangle(batch, n, upper), y = noise(batch * n * m, 4);
          const auto x = solve(ops, context, a, y, batch, n, upper, transposed);
          for (int64_t b = 0; b < batch; b++)
            for (int64_t i = 0; i < n; i++)
              for (int64_t j = 0; j < m; j++) {
                double sum = 0;
                for (int64_t k = 0; k < n; k++) {
                  const int64_t row = transposed ? k : i, column = transposed ? i : k;
                  if (row != column && (row < column) != upper) continue;
                  sum += (double)a[(b * n + row) * n + column] * x[(b * n + k) * m + j];
                }
                CHECK_NEAR(sum, y[(b * n + i) * m + j], within);
              }
        }
}

TEST("a right-hand side is solved to the same bits with others or alone") {
  const int64_t n = 150, m = 200;
  const auto a = triangle(1, n, false), y = noise(n * m, 4);
  Context serial(1), threaded(4);
  const auto all = solve(ops, &serial, a, y, 1, n, false, false);
  CHECK_SAME(solve(ops, &threaded, a, y, 1, n, false, false), all);
  std::vector<float> one, wanted;
  for (int64_t i = 0; i < n; i++) one.push_back(y[i * m + 77]), wanted.push_back(all[i * m + 77]);
  CHECK_SAME(solve(ops, context, a, one, 1, n, false, false), wanted);
}

TEST("a triangle with a zero on its diagonal is refused; solving stops when interrupted") {
  auto a = triangle(2, 20, true);
  const auto y = noise(2 * 20 * 3, 4);
  Context stopped(2);
  stopped.interrupt_at = 1;
  solve(ops, &stopped, triangle(300, 20, true), noise(300 * 20, 4), 300, 20, true, false, LENSOR_INTERRUPTED);
  stopped.polls = 0;
  cholesky(ops, &stopped, definite(1, 100, 5), 1, 100, LENSOR_INTERRUPTED);
  a[20 * 20 + 7 * 20 + 7] = 0;
  solve(ops, context, a, y, 2, 20, true, false, LENSOR_BAD_VALUE);
}
