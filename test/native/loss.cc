// Rows of logits against their targets: loss, log-sum-exp and gradient by their formulas in double.
#include "tolerance.h"
#include <limits>

using namespace lensor::test;

namespace {

constexpr int64_t kIgnore = -100;

struct Result {
  std::vector<float> logits, loss, lse;
};

Result run(const lensor_ops& ops, Context* context, std::vector<float> logits,
           const std::vector<int64_t>& targets, float smoothing, const std::vector<float>& factor,
           lensor_status wanted = LENSOR_OK) {
  Result r{std::move(logits), std::vector<float>(targets.size(), 7), std::vector<float>(targets.size(), 7)};
  lensor_loss_rows rows{};
  rows.rows = (int64_t)targets.size();
  rows.classes = (int64_t)(r.logits.size() / targets.size());
  rows.logits = r.logits.data();
  rows.targets = targets.data();
  rows.ignore = kIgnore;
  rows.smoothing = smoothing;
  rows.loss = r.loss.data();
  rows.log_sum_exp = r.lse.data();
  rows.factor = factor.empty() ? nullptr : factor.data();
  CHECK_EQ(ops.loss_rows(context, &rows), wanted);
  return r;
}

} // namespace

TEST("losses of rows and their gradients in place") {
  const Tolerance sums = tolerance(ops, "loss, sums"), within = tolerance(ops, "loss"),
                  gradients = tolerance(ops, "loss's gradient");
  for (int64_t n : {1, 15, 16, 17, 513, 49'152})
    for (const float smoothing : {0.0f, 0.1f}) {
      const int64_t rows = 4;
      auto x = noise(rows * n, n);
      for (float& f : x) f *= 10;
      const std::vector<int64_t> targets{0, n - 1, kIgnore, n / 2};
      const std::vector<float> factor{1, -0.5f, 3, 0.25f};
      const Result r = run(ops, context, x, targets, smoothing, factor),
                   loss_only = run(ops, context, x, targets, smoothing, {});
      CHECK_SAME(loss_only.logits, x);
      CHECK_SAME(loss_only.loss, r.loss);
      CHECK_SAME(loss_only.lse, r.lse);
      for (int64_t row = 0; row < rows; row++) {
        double total = 0, mean = 0;
        for (int64_t i = row * n; i < (row + 1) * n; i++)
          total += std::exp((double)x[i]), mean += (double)x[i] / n;
        CHECK_NEAR(r.lse[row], std::log(total), sums);
        const int64_t target = targets[row];
        const bool ignored = target == kIgnore;
        const double loss = std::log(total) - (1 - (double)smoothing) * (ignored ? 0 : x[row * n + target]) -
                            smoothing * mean;
        CHECK_NEAR(r.loss[row], ignored ? 0 : loss, within);
        for (int64_t i = 0; i < n; i++) {
          const double p = std::exp((double)x[row * n + i]) / total;
          const double wanted =
              (p - (i == target ? 1 - (double)smoothing : 0) - (double)smoothing / n) * factor[row];
          // exp turns the rounding of x - max, here up to 20, into a relative error.
          const double terms = p + smoothing / (double)n + (i == target);
          const double unit = terms * std::abs(factor[row]);
          CHECK_NEAR(r.logits[row * n + i] / unit, ignored ? 0 : wanted / unit, gradients);
        }
      }
    }
}

TEST("a row's loss does not depend on the other rows or the threads") {
  const int64_t rows = 40, n = 1003;
  const auto x = noise(rows * n, 5);
  std::vector<int64_t> targets;
  for (int64_t row = 0; row < rows; row++) targets.push_back(row * 7 % n);
  const std::vector<float> factor(rows, 0.5f);
  Context serial(1), threaded(4);
  const Result all = run(ops, &serial, x, targets, 0.1f, factor),
               shared = run(ops, &threaded, x, targets, 0.1f, factor);
  CHECK_SAME(all.logits, shared.logits);
  CHECK_SAME(all.loss, shared.loss);
  const Result one = run(ops, context, {x.begin() + 9 * n, x.begin() + 10 * n}, {targets[9]}, 0.1f, {0.5f});
  CHECK_EQ(one.loss[0], all.loss[9]);
  CHECK_SAME(one.logits, std::vector<float>(all.logits.begin() + 9 * n, all.logits.begin() + 10 * n));
}

TEST("classes that are masked have no gradient; a target that is not there is refused") {
  const Tolerance within = tolerance(ops, "loss");
  const float masked = -std::numeric_limits<float>::infinity();
  const Result r = run(ops, context, {1000, masked, 1001}, {2}, 0, {1});
  CHECK_NEAR(r.loss[0], 0.31326169, within);
  CHECK_NEAR(r.logits[0], 0.26894142, within);
  CHECK_NEAR(r.logits[1], 0, 0);
  CHECK_NEAR(r.logits[2], -0.26894142, within);
  for (int64_t bad : {3, -1}) run(ops, context, {1, 2, 3}, {bad}, 0, {1}, LENSOR_BAD_INDEX);
}

TEST("losses stop when interrupted") {
  Context stopped(2);
  stopped.interrupt_at = 1;
  run(ops, &stopped, noise(100 * 2000, 6), std::vector<int64_t>(100, 3), 0, {}, LENSOR_INTERRUPTED);
}
