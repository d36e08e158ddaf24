// Gradients of functions and of softmax against their formulas in double, at kinks and infinities against
// what torch gives.
#include "cast.h"
#include "tolerance.h"
#include <functional>
#include <limits>

using namespace lensor::test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class T>
std::vector<T> unary(const lensor_ops& ops, Context* context, lensor_unary op, std::vector<T> x) {
  std::vector<T> y(x.size());
  const lensor_view from = view(x, {(int64_t)x.size()}), to = view(y, {(int64_t)x.size()});
  CHECK_EQ(ops.unary(context, op, &from, &to), LENSOR_OK);
  return y;
}

template <class T> std::vector<T> unary_grad(const lensor_ops& ops, Context* context, lensor_unary op,
                                             std::vector<T> x, std::vector<T> dy) {
  std::vector<T> y = unary(ops, context, op, x), dx(x.size());
  const std::vector<int64_t> shape{(int64_t)x.size()};
  const lensor_view xs = view(x, shape), ys = view(y, shape), dys = view(dy, shape), dxs = view(dx, shape);
  CHECK_EQ(ops.unary_grad(context, op, &xs, &ys, &dys, &dxs), LENSOR_OK);
  return dx;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double derivative(lensor_unary op, double x) {
  const double s = sigmoid(x), u = std::sqrt(2 / M_PI), t = std::tanh(u * (x + 0.044715 * x * x * x));
  switch (op) {
  case LENSOR_NEG:
    return -1;
  case LENSOR_ABS:
    return (x > 0) - (x < 0);
  case LENSOR_EXP:
    return std::exp(x);
  case LENSOR_LOG:
    return 1 / x;
  case LENSOR_SQRT:
    return 0.5 / std::sqrt(x);
  case LENSOR_RSQRT:
    return -0.5 / (x * std::sqrt(x));
  case LENSOR_SIN:
    return std::cos(x);
  case LENSOR_COS:
    return -std::sin(x);
  case LENSOR_TANH:
    return 1 / (std::cosh(x) * std::cosh(x));
  case LENSOR_SIGMOID:
    return s * (1 - s);
  case LENSOR_RELU:
    return x > 0;
  case LENSOR_SILU:
    return s * (1 + x * (1 - s));
  case LENSOR_GELU:
    return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
  default:
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * u * (1 + 3 * 0.044715 * x * x);
  }
}

bool positive_only(int op) { return op == LENSOR_LOG || op == LENSOR_SQRT || op == LENSOR_RSQRT; }

} // namespace

TEST("derivatives of functions against doubles") {
  const Tolerance within = tolerance(ops, "derivative");
  for (int64_t n : {0, 1, 15, 16, 17, 1000, 40'001})
    for (int op = 0; op < LENSOR_UNARY_COUNT; op++) {
      auto x = noise(n, op);
      const auto dy = noise(n, 100 + op);
      for (float& f : x) f = positive_only(op) ? std::abs(f) * 8 + 0.01f : f * 8;
      const auto dx = unary_grad(ops, context, (lensor_unary)op, x, dy);
      for (int64_t i = 0; i < n; i++) CHECK_NEAR(dx[i], dy[i] * derivative((lensor_unary)op, x[i]), within);
    }
}

TEST("derivatives at kinks, infinities and NaN are torch's") {
  const Tolerance within = tolerance(ops, "derivative at a kink");
  const std::vector<float> x{kNan, kInfinity, -kInfinity, 0, -0.0f, -1, 100, -100};
  const auto check = [&](lensor_unary op, std::vector<double> wanted) {
    const auto dx = unary_grad(ops, context, op, x, std::vector<float>(x.size(), 1));
    for (size_t i = 0; i < x.size(); i++) CHECK_NEAR(dx[i], wanted[i], within);
  };
  check(LENSOR_ABS, {0, 1, -1, 0, 0, -1, 1, -1});
  check(LENSOR_EXP, {kNan, kInfinity, 0, 1, 1, 0.36787945, kInfinity, 0});
  check(LENSOR_LOG, {kNan, 0, 0, kInfinity, -kInfinity, -1, 0.01, -0.01});
  check(LENSOR_SQRT, {kNan, 0, kNan, kInfinity, -kInfinity, kNan, 0.05, kNan});
  check(LENSOR_RSQRT, {kNan, 0, kNan, -kInfinity, kInfinity, kNan, -0.0005, kNan});
  check(LENSOR_TANH, {kNan, 0, 0, 1, 1, 0.41997430, 0, 0});
  check(LENSOR_SIGMOID, {kNan, 0, 0, 0.25, 0.25, 0.19661194, 0, 0});
  check(LENSOR_RELU, {1, 1, 0, 0, 0, 0, 1, 0});
  check(LENSOR_SILU, {kNan, kNan, kNan, 0.5, 0.5, 0.07232949, 1, 0});
  check(LENSOR_GELU, {kNan, kNan, kNan, 0.5, 0.5, -0.08331543, 1, 0});
  check(LENSOR_GELU_TANH, {kNan, kNan, kNan, 0.5, 0.5, -0.08296409, 1, 0});
}

TEST("a gradient that relu stops is 0 even where it is infinite") {
  CHECK_EQ(unary_grad<float>(ops, context, LENSOR_RELU, {-1}, {kInfinity})[0], 0);
}

TEST("derivatives read and write views of any strides") {
  const int64_t rows = 37, columns = 53;
  auto x = noise(rows * columns, 1), dy = noise(rows, 2);
  std::vector<float> dx(x.size()), plain(x.size()), spread(x.size());
  for (int64_t i = 0; i < rows * columns; i++) spread[i] = dy[i % rows];
  const lensor_view xs = view(x, {rows, columns}, {1, rows}), dys = view(dy, {rows, columns}, {1, 0}),
                    dxs = view(dx, {rows, columns}, {1, rows});
  CHECK_EQ(ops.unary_grad(context, LENSOR_SILU, &xs, nullptr, &dys, &dxs), LENSOR_OK);
  plain = unary_grad(ops, context, LENSOR_SILU, x, spread);
  CHECK_SAME(dx, plain);
}

TEST("derivatives of 16-bit floats are those of their values, rounded once") {
  const auto narrow = [&](auto kind) {
    using T = decltype(kind);
    const auto x = rounded<T>(ops, context, noise(1003, 3)), dy = rounded<T>(ops, context, noise(1003, 4));
    const auto wide = unary_grad(ops, context, LENSOR_GELU, x, dy);
    CHECK_SAME(unary_grad(ops, context, LENSOR_GELU, cast<T>(ops, context, x), cast<T>(ops, context, dy)),
               cast<T>(ops, context, wide));
  };
  narrow(f16{});
  narrow(bf16{});
}

TEST("the gradient of softmax and of its logarithm against doubles") {
  const Tolerance within = tolerance(ops, "softmax's gradient");
  for (int64_t n : {1, 15, 16, 17, 511, 1000, 5003})
    for (const bool log : {false, true}) {
      const int64_t rows = 3;
      auto x = noise(rows * n, n), dy = noise(rows * n, n + 1);
      for (float& f : x) f *= 4;
      std::vector<float> y(x.size()), dx(x.size());
      const lensor_view xs = view(x, {rows, n}), ys = view(y, {rows, n}), dys = view(dy, {rows, n}),
                        dxs = view(dx, {rows, n});
      CHECK_EQ(ops.softmax(context, &xs, &ys, log), LENSOR_OK);
      CHECK_EQ(ops.softmax_grad(context, &ys, &dys, &dxs, log), LENSOR_OK);
      for (int64_t row = 0; row < rows; row++) {
        double total = 0;
        for (int64_t i = row * n; i < (row + 1) * n; i++) total += (double)dy[i] * (log ? 1 : y[i]);
        for (int64_t i = row * n; i < (row + 1) * n; i++)
          CHECK_NEAR(dx[i], log ? dy[i] - std::exp((double)y[i]) * total : y[i] * (dy[i] - total), within);
      }
      // The rows' own bits, alone and in place.
      const lensor_view last = view(dy, {1, n}), value = view(y, {1, n});
      std::vector<float> first(dx.begin(), dx.begin() + n);
      CHECK_EQ(ops.softmax_grad(context, &value, &last, &last, log), LENSOR_OK);
      CHECK_SAME(std::vector<float>(dy.begin(), dy.begin() + n), first);
    }
}

TEST("the gradient of a softmax in bf16 is that of its values, rounded once") {
  auto y = rounded<bf16>(ops, context, noise(3000, 5)), dy = rounded<bf16>(ops, context, noise(3000, 6));
  auto narrow_y = cast<bf16>(ops, context, y), narrow_dy = cast<bf16>(ops, context, dy);
  std::vector<float> dx(3000);
  std::vector<bf16> narrow_dx(3000);
  const lensor_view ys = view(y, {3, 1000}), dys = view(dy, {3, 1000}), dxs = view(dx, {3, 1000});
  const lensor_view nys = view(narrow_y, {3, 1000}), ndys = view(narrow_dy, {3, 1000}),
                    ndxs = view(narrow_dx, {3, 1000});
  CHECK_EQ(ops.softmax_grad(context, &ys, &dys, &dxs, 0), LENSOR_OK);
  CHECK_EQ(ops.softmax_grad(context, &nys, &ndys, &ndxs, 0), LENSOR_OK);
  CHECK_SAME(narrow_dx, cast<bf16>(ops, context, dx));
}

TEST("gradients stop when interrupted") {
  auto x = noise(200'000, 7);
  std::vector<float> dx(x.size());
  const lensor_view xs = view(x, {200, 1000}), dxs = view(dx, {200, 1000});
  Context stopped(2);
  stopped.interrupt_at = 1;
  CHECK_EQ(ops.unary_grad(&stopped, LENSOR_SILU, &xs, nullptr, &xs, &dxs), LENSOR_INTERRUPTED);
  stopped.polls = 0;
  CHECK_EQ(ops.softmax_grad(&stopped, &xs, &xs, &dxs, 0), LENSOR_INTERRUPTED);
}
