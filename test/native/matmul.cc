// Matrix products against sums in double, for sizes around every edge of the tiles; the bits do not depend on
// the number of rows, the batch or the threads.
#include "tolerance.h"
#include <numeric>

using namespace lensor::test;

namespace {

std::vector<float> multiply(const lensor_ops& ops, Context* context, std::vector<float> x,
                            std::vector<float> y, int64_t batch, int64_t m, int64_t k, int64_t n) {
  std::vector<float> out(batch * m * n, -1);
  const lensor_view a = view(x, {batch, m, k}), b = view(y, {batch, k, n}), to = view(out, {batch, m, n});
  CHECK_EQ(ops.matmul(context, &a, &b, &to), LENSOR_OK);
  return out;
}

} // namespace

TEST("f32 products around every edge of the tiles") {
  const Tolerance within = tolerance(ops, "matmul");
  const int64_t sizes[][4] = {{1, 1, 1, 1},     {1, 3, 4, 5},      {2, 7, 33, 19},    {1, 13, 256, 16},
                              {1, 6, 257, 256}, {1, 97, 300, 257}, {3, 2, 600, 70},   {1, 1, 1000, 1000},
                              {1, 200, 5, 300}, {5, 12, 64, 64},   {2, 100, 17, 530}, {1, 3, 40, 6000}};
  for (const auto& [batch, m, k, n] : sizes) {
    const auto x = noise(batch * m * k, 1), y = noise(batch * k * n, 2);
    const auto out = multiply(ops, context, x, y, batch, m, k, n);
    double worst = 0;
    for (int64_t b = 0; b < batch; b++)
      for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
          double wanted = 0;
          for (int64_t l = 0; l < k; l++) wanted += (double)x[(b * m + i) * k + l] * y[(b * k + l) * n + j];
          worst = std::max(worst, std::abs(out[(b * m + i) * n + j] - wanted));
        }
    CHECK_NEAR(worst, 0, within * std::sqrt((double)k));
  }
}

TEST("an element of a product has the same bits whatever is computed with it") {
  const int64_t m = 130, k = 700, n = 530;
  const auto x = noise(m * k, 3), y = noise(k * n, 4);
  Context serial(1), threaded(4);
  const auto all = multiply(ops, &serial, x, y, 1, m, k, n);
  CHECK_SAME(multiply(ops, &threaded, x, y, 1, m, k, n), all);
  for (int64_t rows : {1, 2, 3, 7}) {
    const std::vector<float> few(x.begin(), x.begin() + rows * k),
        wanted(all.begin(), all.begin() + rows * n);
    CHECK_SAME(multiply(ops, context, few, y, 1, rows, k, n), wanted);
  }
  auto twice_x = x, twice_y = y;
  twice_x.insert(twice_x.end(), x.begin(), x.end());
  twice_y.insert(twice_y.end(), y.begin(), y.end());
  const auto twice = multiply(ops, context, twice_x, twice_y, 2, m, k, n);
  CHECK_SAME(std::vector<float>(twice.begin() + m * n, twice.end()), all);
}

TEST("a column of a product has the same bits alone") {
  const int64_t m = 20, k = 300, n = 40;
  const auto x = noise(m * k, 5), y = noise(k * n, 6);
  const auto all = multiply(ops, context, x, y, 1, m, k, n);
  std::vector<float> column(k), wanted(m);
  for (int64_t l = 0; l < k; l++) column[l] = y[l * n + 37];
  for (int64_t i = 0; i < m; i++) wanted[i] = all[i * n + 37];
  CHECK_SAME(multiply(ops, context, x, column, 1, m, k, 1), wanted);
}

TEST("16-bit products add in f32 and round once") {
  for (const int64_t m : {1, 50}) {
    const int64_t k = 600, n = 90;
    auto x = noise(m * k, 7), y = noise(k * n, 8);
    std::vector<bf16> bx(m * k), by(k * n), out(m * n), wanted(m * n);
    const auto x3 = view(x, {1, m, k}), y3 = view(y, {1, k, n});
    const auto bx3 = view(bx, {1, m, k}), by3 = view(by, {1, k, n});
    const auto to = view(out, {1, m, n}), right = view(wanted, {1, m, n});
    CHECK_EQ(ops.copy(context, &x3, &bx3), LENSOR_OK);
    CHECK_EQ(ops.copy(context, &y3, &by3), LENSOR_OK);
    CHECK_EQ(ops.matmul(context, &bx3, &by3, &to), LENSOR_OK);
    CHECK_EQ(ops.copy(context, &bx3, &x3), LENSOR_OK);
    CHECK_EQ(ops.copy(context, &by3, &y3), LENSOR_OK);
    auto f = multiply(ops, context, x, y, 1, m, k, n);
    const auto wide = view(f, {1, m, n});
    CHECK_EQ(ops.copy(context, &wide, &right), LENSOR_OK);
    CHECK_SAME(out, wanted);
  }
}

TEST("integer products wrap") {
  std::vector<int8_t> x{100, 100, -128, 1}, y{100, 2, 3, -128}, out(4);
  const auto a = view(x, {1, 2, 2}), b = view(y, {1, 2, 2}), to = view(out, {1, 2, 2});
  CHECK_EQ(ops.matmul(context, &a, &b, &to), LENSOR_OK);
  const int wide[] = {100 * 100 + 300, 200 - 12800, -12800 + 3, -256 - 128};
  for (int i = 0; i < 4; i++) CHECK_EQ(out[i], (int8_t)wide[i]);
  std::vector<int64_t> p{INT64_MAX, 2}, q{2, 3}, r(1);
  const auto c = view(p, {1, 1, 2}), d = view(q, {1, 2, 1}), e = view(r, {1, 1, 1});
  CHECK_EQ(ops.matmul(context, &c, &d, &e), LENSOR_OK);
  CHECK_EQ(r[0], 4);
}

TEST("products over nothing are 0, and of nothing are nothing") {
  CHECK_SAME(multiply(ops, context, {}, {}, 1, 2, 0, 3), std::vector<float>(6, 0));
  CHECK(multiply(ops, context, {}, std::vector<float>(6), 1, 0, 2, 3).empty());
}

TEST("an interrupt ends a product") {
  Context stopping(context->threads);
  stopping.interrupt_at = 3;
  auto x = noise(300 * 300, 1), y = noise(300 * 300, 2);
  std::vector<float> out(300 * 300);
  const auto a = view(x, {1, 300, 300}), b = view(y, {1, 300, 300}), to = view(out, {1, 300, 300});
  CHECK_EQ(ops.matmul(&stopping, &a, &b, &to), LENSOR_INTERRUPTED);
}
