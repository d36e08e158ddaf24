// Reductions and softmax against sums in double: values, NaN, ties, and an order of addition that threads do
// not change.
#include "tolerance.h"
#include <algorithm>
#include <limits>

using namespace lensor::test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class From, class To> std::vector<To>
reduce(const lensor_ops& ops, Context* context, lensor_reduction op, std::vector<From> x, int64_t rows) {
  std::vector<To> out(rows);
  const lensor_view from = view(x, {rows, (int64_t)x.size() / std::max<int64_t>(rows, 1)}),
                    to = view(out, {rows});
  CHECK_EQ(ops.reduce(context, op, &from, &to), LENSOR_OK);
  return out;
}

std::vector<float> softmax(const lensor_ops& ops, Context* context, std::vector<float> x, int64_t rows,
                           bool log) {
  std::vector<float> out(x.size());
  const lensor_view from = view(x, {rows, (int64_t)x.size() / rows}),
                    to = view(out, {rows, (int64_t)x.size() / rows});
  CHECK_EQ(ops.softmax(context, &from, &to, log), LENSOR_OK);
  return out;
}

} // namespace

TEST("sums are right to the last bits for any length") {
  const Tolerance sums = tolerance(ops, "sum"), means = tolerance(ops, "mean");
  for (int64_t n : {1, 15, 16, 17, 511, 513, 65535, 65537, 500'000}) {
    const auto x = noise(n, n);
    double wanted = 0;
    for (float f : x) wanted += f;
    CHECK_NEAR((reduce<float, float>(ops, context, LENSOR_SUM, x, 1)[0]), wanted, sums);
    CHECK_NEAR((reduce<float, float>(ops, context, LENSOR_MEAN, x, 1)[0]), wanted / n, means);
  }
}

TEST("a row's sum is the same alone, in a batch, and on any number of threads") {
  const int64_t rows = 7, n = 200'003;
  const auto x = noise(rows * n, 5);
  Context serial(1), threaded(4);
  const auto all = reduce<float, float>(ops, &serial, LENSOR_SUM, x, rows);
  CHECK_SAME((reduce<float, float>(ops, &threaded, LENSOR_SUM, x, rows)), all);
  for (int64_t row = 0; row < rows; row++) {
    const std::vector<float> one(x.begin() + row * n, x.begin() + (row + 1) * n);
    CHECK_EQ((reduce<float, float>(ops, context, LENSOR_SUM, one, 1)[0]), all[row]);
  }
}

TEST("extremes and where they are: the first of equals, NaN before all") {
  CHECK((reduce<float, int64_t>(ops, context, LENSOR_ARGMAX, {1, 3, 3, 2, 2, 2}, 2) ==
         std::vector<int64_t>{1, 0}));
  CHECK((reduce<float, int64_t>(ops, context, LENSOR_ARGMIN, {1, 3, 1, 2, 2, 0}, 2) ==
         std::vector<int64_t>{0, 2}));
  CHECK((reduce<float, int64_t>(ops, context, LENSOR_ARGMAX, {1, kNan, 3, kNan}, 1)[0]) == 1);
  CHECK((reduce<float, int64_t>(ops, context, LENSOR_ARGMAX, {-kInfinity, -kInfinity}, 1)[0]) == 0);
  CHECK(std::isnan(reduce<float, float>(ops, context, LENSOR_MAX, {1, kNan, 3}, 1)[0]));
  CHECK(std::isnan(reduce<float, float>(ops, context, LENSOR_MIN, {1, kNan, 3}, 1)[0]));
  CHECK((reduce<float, float>(ops, context, LENSOR_MAX, {-2, -1, -3}, 1)[0]) == -1);
  CHECK((reduce<int8_t, int8_t>(ops, context, LENSOR_MIN, {5, -128, 127}, 1)[0]) == -128);
}

TEST("extremes of long rows, wherever they stand") {
  const int64_t n = 200'000;
  for (int64_t at : {0, 1, 16, 511, 512, 65535, 65536, 131072, 199'999}) {
    std::vector<float> x(n, 0.25f);
    x[at] = 1;
    x[n - 1] = 1;
    CHECK_EQ((reduce<float, int64_t>(ops, context, LENSOR_ARGMAX, x, 1)[0]), at);
    x[at] = kNan;
    CHECK_EQ((reduce<float, int64_t>(ops, context, LENSOR_ARGMIN, x, 1)[0]), at);
  }
}

TEST("integers add up in 64 bits") {
  CHECK((reduce<uint8_t, int64_t>(ops, context, LENSOR_SUM, {200, 100}, 1)[0]) == 300);
  CHECK((reduce<int32_t, int64_t>(ops, context, LENSOR_SUM, std::vector<int32_t>(100'000, INT32_MAX),
                                  1)[0]) == 100'000 * (int64_t)INT32_MAX);
}

TEST("sums of nothing are 0, means NaN") {
  CHECK((reduce<float, float>(ops, context, LENSOR_SUM, {}, 2) == std::vector<float>{0, 0}));
  CHECK(std::isnan(reduce<float, float>(ops, context, LENSOR_MEAN, {}, 1)[0]));
}

TEST("softmax and its logarithm against doubles") {
  const Tolerance within = tolerance(ops, "softmax"), log = tolerance(ops, "log softmax"),
                  sums = tolerance(ops, "log sum exp");
  // exp turns the rounding of x - max, here up to 40, into a relative error.
  for (int64_t n : {1, 3, 16, 100, 1000, 49'152}) {
    auto x = noise(2 * n, n);
    for (auto& f : x) f *= 20;
    const auto p = softmax(ops, context, x, 2, false), l = softmax(ops, context, x, 2, true);
    for (int64_t row = 0; row < 2; row++) {
      double sum = 0;
      for (int64_t i = 0; i < n; i++) sum += std::exp((double)x[row * n + i]);
      for (int64_t i = row * n; i < (row + 1) * n; i++) {
        const double wanted = std::exp((double)x[i]) / sum;
        CHECK_NEAR(p[i] / wanted, 1, within);
        CHECK_NEAR(l[i], x[i] - std::log(sum), log);
      }
      CHECK_NEAR(ops.log_sum_exp(x.data() + row * n, n), std::log(sum), sums);
    }
  }
}

TEST("softmax survives extremes; a row that is all masked is NaN") {
  const Tolerance within = tolerance(ops, "softmax of extremes");
  const auto p = softmax(ops, context, {1000, 1001, -1000, -kInfinity, 0, 1}, 2, false);
  CHECK_NEAR(p[0] + p[1], 1, within);
  CHECK(p[2] == 0 && p[3] == 0);
  CHECK(std::isnan(softmax(ops, context, {-kInfinity, -kInfinity}, 1, false)[0]));
  CHECK_NEAR(softmax(ops, context, {1000, 1001, -1000}, 1, true)[1], -0.31326166, within);
}

TEST("softmax of bf16 is that of its values, rounded once") {
  auto x = noise(3000, 9);
  std::vector<bf16> brain(3000), out(3000), wanted(3000);
  std::vector<float> wide(3000);
  const lensor_view xs = view(x, {3, 1000}), brains = view(brain, {3, 1000}), wides = view(wide, {3, 1000});
  const lensor_view outs = view(out, {3, 1000}), wanteds = view(wanted, {3, 1000});
  CHECK_EQ(ops.copy(context, &xs, &brains), LENSOR_OK);
  CHECK_EQ(ops.copy(context, &brains, &wides), LENSOR_OK);
  CHECK_EQ(ops.softmax(context, &brains, &outs, 0), LENSOR_OK);
  CHECK_EQ(ops.softmax(context, &wides, &xs, 0), LENSOR_OK);
  CHECK_EQ(ops.copy(context, &xs, &wanteds), LENSOR_OK);
  CHECK_SAME(out, wanted);
}
