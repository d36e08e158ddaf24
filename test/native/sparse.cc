// What is pruned: the smallest of each row, and SparseGPT's sweep against its formula in double, column after
// column.
#include "factor.h"
#include "tolerance.h"
#include <algorithm>
#include <limits>
#include <tuple>

using namespace lensor::test;

namespace {

std::vector<uint8_t> marked(const lensor_ops& ops, Context* context, std::vector<float> x, int64_t rows,
                            int64_t count) {
  std::vector<uint8_t> out(x.size(), 9);
  const int64_t n = (int64_t)x.size() / rows;
  const lensor_view from = view(x, {rows, n});
  lensor_view to = view(out, {rows, n});
  to.dtype = LENSOR_BOOL;
  CHECK_EQ(ops.mark_smallest(context, &from, count, &to), LENSOR_OK);
  return out;
}

std::vector<float> swept(const lensor_ops& ops, Context* context, std::vector<float> w, std::vector<float> u,
                         int64_t cols, int64_t block, int32_t keep, int32_t of, double sparsity,
                         lensor_status wanted = LENSOR_OK) {
  std::vector<float> out(w.size(), 9);
  const int64_t rows = (int64_t)w.size() / cols;
  const lensor_view ws = view(w, {rows, cols}), us = view(u, {cols, cols}), to = view(out, {rows, cols});
  CHECK_EQ(ops.sparse_sweep(context, &ws, &us, block, keep, of, sparsity, &to), wanted);
  return out;
}

// The paper's algorithm, with the whole of what follows corrected at once.
std::vector<double> plainly(const std::vector<float>& from, const std::vector<float>& u, int64_t cols,
                            int64_t block, int64_t keep, int64_t of, double sparsity) {
  std::vector<double> w(from.begin(), from.end());
  const int64_t rows = (int64_t)w.size() / cols;
  std::vector<char> gone(w.size());
  const auto score = [&](int64_t i) {
    const double d = u[i % cols * (cols + 1)];
    return w[i] * w[i] / (d * d);
  };
  const auto choose = [&](std::vector<int64_t> places, int64_t count) {
    std::stable_sort(places.begin(), places.end(), [&](int64_t a, int64_t b) { return score(a) < score(b); });
    for (int64_t i = 0; i < count; i++) gone[places[i]] = 1;
  };
  for (int64_t j = 0; j < cols; j++) {
    std::vector<int64_t> places;
    if (!of && j % block == 0) {
      for (int64_t r = 0; r < rows; r++)
        for (int64_t i = j; i < std::min(cols, j + block); i++) places.push_back(r * cols + i);
      choose(places, (int64_t)((double)places.size() * sparsity));
    }
    for (int64_t r = 0; r < rows; r++) {
      if (of && j % of == 0) {
        places.clear();
        for (int64_t i = j; i < j + of; i++) places.push_back(r * cols + i);
        choose(places, of - keep);
      }
      if (!gone[r * cols + j]) continue;
      const double e = w[r * cols + j] / u[j * cols + j];
      w[r * cols + j] = 0;
      for (int64_t l = j + 1; l < cols; l++) w[r * cols + l] -= e * u[j * cols + l];
    }
  }
  return w;
}

} // namespace

TEST("the smallest of each row are marked, of equal ones the first") {
  for (int64_t n : {1, 4, 8, 63, 64, 65, 200}) {
    auto x = noise(3 * n, n);
    for (float& value : x) value = std::floor(std::abs(value) * 4); // many are equal
    for (int64_t count : {(int64_t)0, n / 3, n / 2, n}) {
      const auto out = marked(ops, context, x, 3, count);
      for (int64_t r = 0; r < 3; r++) {
        std::vector<int64_t> places(n);
        for (int64_t i = 0; i < n; i++) places[i] = i;
        std::stable_sort(places.begin(), places.end(),
                         [&](int64_t a, int64_t b) { return x[r * n + a] < x[r * n + b]; });
        for (int64_t i = 0; i < n; i++) CHECK_EQ((int)out[r * n + places[i]], i < count ? 1 : 0);
      }
    }
  }
}

TEST("SparseGPT's sweep prunes what its formula says, and corrects the rest") {
  const Tolerance within = tolerance(ops, "sparse sweep");
  for (int64_t cols : {8, 16, 40, 72})
    for (int64_t rows : {1, 3, 4, 9}) {
      const auto w = noise(rows * cols, cols + rows), u = factor(cols);
      for (const auto& [keep, of, sparsity] :
           {std::tuple(2, 4, 0.0), std::tuple(4, 8, 0.0), std::tuple(0, 0, 0.5), std::tuple(0, 0, 0.3)}) {
        const int64_t block = of ? 16 : 32;
        const auto out = swept(ops, context, w, u, cols, block, keep, of, sparsity);
        const auto wanted = plainly(w, u, cols, block, keep, of, sparsity);
        int64_t zeros = 0;
        for (size_t i = 0; i < out.size(); i++) {
          CHECK_EQ(out[i] == 0, wanted[i] == 0);
          CHECK_NEAR(out[i], wanted[i], within);
          zeros += out[i] == 0;
        }
        if (of) CHECK_EQ(zeros, rows * cols / 2);
      }
    }
}

TEST("a sweep has the same bits on any number of threads, and refuses what is no factor") {
  const int64_t cols = 200, rows = 50;
  const auto w = noise(rows * cols, 5);
  auto u = factor(cols);
  Context serial(1), threaded(4), stopped(2);
  CHECK_SAME(swept(ops, &threaded, w, u, cols, 128, 0, 0, 0.5),
             swept(ops, &serial, w, u, cols, 128, 0, 0, 0.5));
  stopped.interrupt_at = 1;
  swept(ops, &stopped, w, u, cols, 128, 0, 0, 0.5, LENSOR_INTERRUPTED);
  u[7 * cols + 7] = 0;
  swept(ops, context, w, u, cols, 128, 0, 0, 0.5, LENSOR_BAD_VALUE);
}
