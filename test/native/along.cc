// Cumulative sums and the linear recurrence against plain loops.
#include "cast.h"
#include "tolerance.h"

using namespace lensor::test;

namespace {

template <class T, class To> std::vector<To> cumsum(const lensor_ops& ops, Context* context, std::vector<T> x,
                                                    int64_t rows, bool reverse) {
  std::vector<To> out(x.size());
  const int64_t n = rows ? (int64_t)x.size() / rows : 0;
  const lensor_view from = view(x, {rows, n}), to = view(out, {rows, n});
  CHECK_EQ(ops.cumsum(context, &from, &to, reverse), LENSOR_OK);
  return out;
}

std::vector<float> scan(const lensor_ops& ops, Context* context, std::vector<float> a, std::vector<float> x,
                        int64_t batch, int64_t width, bool reverse) {
  std::vector<float> out(x.size());
  const std::vector<int64_t> shape{batch, (int64_t)x.size() / (batch * width), width};
  const lensor_view as = view(a, shape), xs = view(x, shape), outs = view(out, shape);
  CHECK_EQ(ops.scan(context, &as, &xs, &outs, reverse), LENSOR_OK);
  return out;
}

} // namespace

TEST("cumulative sums of floats are sums in double, rounded once each") {
  for (int64_t n : {1, 15, 16, 17, 511, 512, 513, 3000})
    for (const bool reverse : {false, true}) {
      const int64_t rows = 3;
      const auto x = noise(rows * n, n);
      const auto out = cumsum<float, float>(ops, context, x, rows, reverse);
      for (int64_t row = 0; row < rows; row++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
          const int64_t at = row * n + (reverse ? n - 1 - i : i);
          sum += x[at];
          CHECK_NEAR(out[at], (float)sum, 0);
        }
      }
      const auto narrow = cumsum<bf16, bf16>(ops, context, cast<bf16>(ops, context, x), rows, reverse);
      CHECK_SAME(narrow, cast<bf16>(ops, context,
                                    cumsum<float, float>(ops, context, rounded<bf16>(ops, context, x), rows,
                                                         reverse)));
    }
  CHECK((cumsum<float, float>(ops, context, {}, 2, false).empty()));
}

TEST("cumulative sums of integers are i64, as torch has them, or wrap in their own type") {
  CHECK((cumsum<int32_t, int64_t>(ops, context, {INT32_MAX, 1, 1, -5}, 2, false) ==
         std::vector<int64_t>{INT32_MAX, (int64_t)INT32_MAX + 1, 1, -4}));
  CHECK((cumsum<int32_t, int32_t>(ops, context, {INT32_MAX, 1, 2}, 1, false) ==
         std::vector<int32_t>{INT32_MAX, INT32_MIN, INT32_MIN + 2}));
  CHECK((cumsum<uint8_t, uint8_t>(ops, context, {200, 100, 1}, 1, true) == std::vector<uint8_t>{45, 101, 1}));
}

TEST("the recurrence along the middle axis, forward and from the end") {
  const Tolerance within = tolerance(ops, "scan");
  for (int64_t width : {1, 15, 16, 17, 64, 65, 200})
    for (int64_t length : {1, 2, 33})
      for (const bool reverse : {false, true}) {
        const int64_t batch = 3;
        const auto a = noise(batch * length * width, 1), x = noise(batch * length * width, 2);
        const auto out = scan(ops, context, a, x, batch, width, reverse);
        for (int64_t b = 0; b < batch; b++)
          for (int64_t j = 0; j < width; j++) {
            double h = 0;
            for (int64_t i = 0; i < length; i++) {
              const int64_t at = (b * length + (reverse ? length - 1 - i : i)) * width + j;
              h = a[at] * h + x[at];
              CHECK_NEAR(out[at], h, within);
            }
          }
        // A column's own bits, without its neighbours.
        std::vector<float> one_a, one_x, one;
        for (int64_t t = 0; t < length; t++) {
          const int64_t at = (length + t) * width + width - 1;
          one_a.push_back(a[at]), one_x.push_back(x[at]), one.push_back(out[at]);
        }
        CHECK_SAME(scan(ops, context, one_a, one_x, 1, 1, reverse), one);
      }
}

TEST("what runs along rows stops when interrupted") {
  std::vector<float> x(400'000, 1);
  const lensor_view rows = view(x, {400, 1000}), cube = view(x, {400, 10, 100});
  Context stopped(2);
  stopped.interrupt_at = 1;
  CHECK_EQ(ops.cumsum(&stopped, &rows, &rows, 0), LENSOR_INTERRUPTED);
  stopped.polls = 0;
  CHECK_EQ(ops.scan(&stopped, &cube, &cube, &cube, 0), LENSOR_INTERRUPTED);
}
