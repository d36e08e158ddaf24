// Eigenvalues and eigenvectors: A v = lambda v and V V^T = 1 in double, known values, and bits that do not
// depend on the batch or the threads.
#include "tolerance.h"
#include <limits>

using namespace lensor::test;

namespace {

struct Eigen {
  std::vector<float> values, vectors;
};

// Symmetric [batch, n, n], the upper half spoilt, since only the lower one is read.
std::vector<float> symmetric(int64_t batch, int64_t n, uint64_t seed) {
  auto a = noise(batch * n * n, seed);
  for (int64_t b = 0; b < batch; b++)
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = i + 1; j < n; j++) a[(b * n + i) * n + j] = std::numeric_limits<float>::quiet_NaN();
  return a;
}

Eigen eigen(const lensor_ops& ops, Context* context, std::vector<float> a, int64_t batch, int64_t n,
            lensor_status wanted = LENSOR_OK) {
  Eigen out{std::vector<float>(batch * n, 9), std::vector<float>(batch * n * n, 9)};
  const lensor_view from = view(a, {batch, n, n}), values = view(out.values, {batch, n}),
                    vectors = view(out.vectors, {batch, n, n});
  CHECK_EQ(ops.eigen(context, &from, &values, &vectors), wanted);
  return out;
}

void check_eigen(const lensor_ops& ops, const std::vector<float>& a, const Eigen& found, int64_t n) {
  const Tolerance within = tolerance(ops, "eigenvectors");
  const auto at = [&](int64_t i, int64_t j) { return (double)a[i >= j ? i * n + j : j * n + i]; };
  for (int64_t v = 0; v < n; v++) {
    const float* x = found.vectors.data() + v * n;
    if (v) CHECK(found.values[v] >= found.values[v - 1]);
    for (int64_t i = 0; i < n; i++) {
      double sum = 0;
      for (int64_t j = 0; j < n; j++) sum += at(i, j) * x[j];
      CHECK_NEAR(sum, (double)found.values[v] * x[i], within * 4);
    }
    for (int64_t w = 0; w <= v; w++) {
      double sum = 0;
      for (int64_t j = 0; j < n; j++) sum += (double)x[j] * found.vectors[w * n + j];
      CHECK_NEAR(sum, v == w ? 1 : 0, within);
    }
  }
}

} // namespace

TEST("eigenvectors are turned by nothing but their values, and stand on each other") {
  for (int64_t n : {0, 1, 2, 3, 15, 16, 17, 33, 70}) {
    const auto a = symmetric(2, n, n + 1);
    const Eigen all = eigen(ops, context, a, 2, n);
    for (int64_t b = 0; b < 2; b++)
      check_eigen(ops, {a.begin() + b * n * n, a.begin() + (b + 1) * n * n},
                  {{all.values.begin() + b * n, all.values.begin() + (b + 1) * n},
                   {all.vectors.begin() + b * n * n, all.vectors.begin() + (b + 1) * n * n}},
                  n);
  }
}

TEST("eigenvalues that are known: of a diagonal, of equal ones, of a matrix of ones, of a path") {
  const Tolerance within = tolerance(ops, "eigenvectors");
  const int64_t n = 20;
  std::vector<float> diagonal(n * n), ones(n * n, 1), path(n * n);
  for (int64_t i = 0; i < n; i++) {
    diagonal[i * n + i] = (float)(i % 3);
    path[i * n + i] = 2;
    if (i) path[i * n + i - 1] = path[(i - 1) * n + i] = -1;
  }
  const Eigen a = eigen(ops, context, diagonal, 1, n), b = eigen(ops, context, ones, 1, n),
              c = eigen(ops, context, path, 1, n);
  for (int64_t i = 0; i < n; i++) {
    CHECK_EQ(a.values[i], (float)(i < 7 ? 0 : i < 14 ? 1 : 2));
    CHECK_NEAR(b.values[i], i + 1 < n ? 0 : n, within);
    CHECK_NEAR(c.values[i], 2 - 2 * std::cos(M_PI * (double)(i + 1) / (n + 1)), within);
  }
  check_eigen(ops, ones, b, n);
}

TEST("eigenvectors have the same bits alone, in a batch, and on any number of threads") {
  const int64_t n = 90;
  const auto a = symmetric(2, n, 7);
  Context serial(1), threaded(4);
  const Eigen all = eigen(ops, &serial, a, 2, n);
  CHECK_SAME(eigen(ops, &threaded, a, 2, n).vectors, all.vectors);
  CHECK_SAME(eigen(ops, context, {a.begin() + n * n, a.end()}, 1, n).vectors,
             std::vector<float>(all.vectors.begin() + n * n, all.vectors.end()));
}

TEST("what is no number has no eigenvalues; finding them stops when interrupted") {
  for (int64_t n : {1, 2, 40}) {
    auto a = symmetric(1, n, 3);
    a[(n - 1) * n + n / 2] = std::numeric_limits<float>::quiet_NaN();
    eigen(ops, context, a, 1, n, LENSOR_BAD_VALUE);
  }
  Context stopped(2);
  stopped.interrupt_at = 1;
  eigen(ops, &stopped, symmetric(1, 100, 5), 1, 100, LENSOR_INTERRUPTED);
}
