// Elementwise kernels against C's own functions in double: accuracy over the whole range, every way of
// reading a view, integers that wrap, NaN.
#include "tolerance.h"
#include <functional>
#include <limits>
#include <thread>

using namespace lensor::test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Steps through all magnitudes of f32, both signs, and what is not finite.
std::vector<float> all_magnitudes() {
  std::vector<float> x{0.0f, -0.0f, kInfinity, -kInfinity, kNan, 1e-45f, 3.4e38f};
  for (uint32_t bits = 0x00000001; bits < 0x7f800000; bits += 40503) {
    float f;
    std::memcpy(&f, &bits, 4);
    x.push_back(f);
    x.push_back(-f);
  }
  for (float f = -30; f < 30; f += 0.00317f) x.push_back(f);
  return x;
}

// The largest relative error over x; results below `floor` in size count by their difference from it.
double worst(const lensor_ops& ops, Context* context, lensor_unary op, const std::vector<float>& values,
             const std::function<double(double)>& exact, double floor) {
  std::vector<float> x = values, y(x.size());
  const lensor_view from = view(x, {(int64_t)x.size()}), to = view(y, {(int64_t)x.size()});
  CHECK_EQ(ops.unary(context, op, &from, &to), LENSOR_OK);
  double most = 0;
  for (size_t i = 0; i < x.size(); i++) {
    const double wanted = exact(x[i]);
    const float rounded = static_cast<float>(wanted);
    if (std::isnan(wanted) ? std::isnan(y[i]) : y[i] == rounded) continue;
    const double error = std::abs(y[i] - wanted) / std::max(std::abs(wanted), floor);
    most = std::isnan(error) ? kInfinity : std::max(most, error);
  }
  return most;
}

} // namespace

TEST("functions of one f32 are right to the last bits over all magnitudes") {
  const Tolerance within = tolerance(ops, "function");
  const auto x = all_magnitudes();
  const double floor = std::numeric_limits<float>::min();
  const auto sigmoid = [](double a) { return 1 / (1 + std::exp(-a)); };
  CHECK(worst(ops, context, LENSOR_NEG, x, [](double a) { return -a; }, floor) == 0);
  CHECK(worst(ops, context, LENSOR_ABS, x, [](double a) { return std::abs(a); }, floor) == 0);
  CHECK(worst(ops, context, LENSOR_RELU, x, [](double a) { return a < 0 ? 0 : a; }, floor) == 0);
  CHECK_NEAR(worst(ops, context, LENSOR_EXP, x, [](double a) { return std::exp(a); }, floor), 0, within);
  CHECK_NEAR(worst(ops, context, LENSOR_LOG, x, [](double a) { return std::log(a); }, floor), 0, within);
  CHECK_NEAR(worst(ops, context, LENSOR_SQRT, x, [](double a) { return std::sqrt(a); }, floor), 0, within);
  CHECK_NEAR(
      worst(ops, context, LENSOR_RSQRT, x, [](double a) { return 1 / std::sqrt(a); }, floor), 0, within);
  CHECK_NEAR(worst(ops, context, LENSOR_SIN, x, [](double a) { return std::sin(a); }, floor), 0, within);
  CHECK_NEAR(worst(ops, context, LENSOR_COS, x, [](double a) { return std::cos(a); }, floor), 0, within);
  CHECK_NEAR(worst(ops, context, LENSOR_TANH, x, [](double a) { return std::tanh(a); }, floor), 0, within);
  CHECK_NEAR(worst(ops, context, LENSOR_SIGMOID, x, sigmoid, floor), 0, within);
}

TEST("silu and gelu are right, their vanishing tails included") {
  const Tolerance within = tolerance(ops, "activation");
  std::vector<float> x;
  for (float f = -9; f < 30; f += 0.00173f) x.push_back(f);
  const auto silu = [](double a) { return a / (1 + std::exp(-a)); };
  const auto gelu = [](double a) { return 0.5 * a * std::erfc(-a / std::sqrt(2.0)); };
  const auto gelu_tanh = [](double a) {
    return 0.5 * a * (1 + std::tanh(std::sqrt(2 / M_PI) * (a + 0.044715 * a * a * a)));
  };
  CHECK_NEAR(worst(ops, context, LENSOR_SILU, x, silu, 1e-30), 0, within);
  CHECK_NEAR(worst(ops, context, LENSOR_GELU, x, gelu, 1e-10), 0, within);
  CHECK_NEAR(worst(ops, context, LENSOR_GELU_TANH, x, gelu_tanh, 1e-2), 0, within);
}

TEST("a value's result does not depend on where it stands") {
  for (int op = 0; op < LENSOR_UNARY_COUNT; op++) {
    std::vector<float> one{0.7315f}, alone(1);
    lensor_view from = view(one, {1}), to = view(alone, {1});
    CHECK_EQ(ops.unary(context, (lensor_unary)op, &from, &to), LENSOR_OK);
    std::vector<float> many(1003, 0.7315f), all(1003), wanted(1003, alone[0]);
    from = view(many, {1003});
    to = view(all, {1003});
    CHECK_EQ(ops.unary(context, (lensor_unary)op, &from, &to), LENSOR_OK);
    CHECK_SAME(all, wanted);
  }
}

TEST("binary operations read transposed, reversed and repeated views") {
  const int64_t rows = 37, columns = 53;
  std::vector<float> x = noise(rows * columns, 1), y = noise(columns, 2), out(rows * columns);
  lensor_view a = view(x, {rows, columns}, {1, rows});
  lensor_view b = view(y, {rows, columns}, {0, -1});
  b.data = y.data() + columns - 1;
  const lensor_view to = view(out, {rows, columns});
  CHECK_EQ(ops.binary(context, LENSOR_SUB, &a, &b, &to), LENSOR_OK);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++)
      CHECK_EQ(out[r * columns + c], x[r + c * rows] - y[columns - 1 - c]);
}

TEST("long elementwise loops are the same serial and threaded") {
  const int64_t n = 100'003;
  std::vector<float> x = noise(n, 3), y = noise(n, 4), out(n), wanted(n);
  for (int64_t i = 0; i < n; i++) wanted[i] = x[i] * y[i];
  const lensor_view a = view(x, {n}), b = view(y, {n}), to = view(out, {n});
  CHECK_EQ(ops.binary(context, LENSOR_MUL, &a, &b, &to), LENSOR_OK);
  CHECK_SAME(out, wanted);
}

TEST("maximum and minimum keep NaN from either side") {
  std::vector<float> x{1, kNan, 2, kNan, -kInfinity}, y{kNan, 1, 3, kNan, 0}, out(5);
  const lensor_view a = view(x, {5}), b = view(y, {5}), to = view(out, {5});
  CHECK_EQ(ops.binary(context, LENSOR_MAXIMUM, &a, &b, &to), LENSOR_OK);
  CHECK(std::isnan(out[0]) && std::isnan(out[1]) && out[2] == 3 && std::isnan(out[3]) && out[4] == 0);
  CHECK_EQ(ops.binary(context, LENSOR_MINIMUM, &a, &b, &to), LENSOR_OK);
  CHECK(std::isnan(out[0]) && std::isnan(out[1]) && out[2] == 2 && std::isnan(out[3]) &&
        out[4] == -kInfinity);
}

TEST("integers wrap in their own width, and powers too") {
  std::vector<int8_t> x{127, -128, 100, -3}, y{1, -1, 100, 3}, out(4);
  const lensor_view a = view(x, {4}), b = view(y, {4}), to = view(out, {4});
  CHECK_EQ(ops.binary(context, LENSOR_ADD, &a, &b, &to), LENSOR_OK);
  CHECK(out == (std::vector<int8_t>{-128, 127, -56, 0}));
  CHECK_EQ(ops.binary(context, LENSOR_MUL, &a, &b, &to), LENSOR_OK);
  CHECK(out == (std::vector<int8_t>{127, -128, 16, -9}));
  CHECK_EQ(ops.binary(context, LENSOR_POW, &a, &b, &to), LENSOR_OK);
  CHECK(out == (std::vector<int8_t>{127, 0, 0, -27}));
  std::vector<int64_t> big{INT64_MAX, INT64_MIN}, one{1, -1}, sum(2);
  const lensor_view c = view(big, {2}), d = view(one, {2}), into = view(sum, {2});
  CHECK_EQ(ops.binary(context, LENSOR_ADD, &c, &d, &into), LENSOR_OK);
  CHECK(sum[0] == INT64_MIN && sum[1] == INT64_MAX);
  CHECK_EQ(ops.unary(context, LENSOR_NEG, &c, &into), LENSOR_OK);
  CHECK(sum[0] == -INT64_MAX && sum[1] == INT64_MIN);
}

TEST("comparisons give bool, false with NaN but for ne") {
  std::vector<float> x{1, 2, kNan, 3}, y{2, 2, kNan, 1};
  std::vector<uint8_t> out(4);
  const lensor_view a = view(x, {4}), b = view(y, {4});
  lensor_view to = view(out, {4});
  to.dtype = LENSOR_BOOL;
  const std::pair<lensor_binary, std::vector<uint8_t>> wanted[] = {
      {LENSOR_EQ, {0, 1, 0, 0}}, {LENSOR_NE, {1, 0, 1, 1}}, {LENSOR_LT, {1, 0, 0, 0}},
      {LENSOR_LE, {1, 1, 0, 0}}, {LENSOR_GT, {0, 0, 0, 1}}, {LENSOR_GE, {0, 1, 0, 1}}};
  for (const auto& [op, result] : wanted) {
    CHECK_EQ(ops.binary(context, op, &a, &b, &to), LENSOR_OK);
    CHECK(out == result);
  }
}

TEST("where takes each element from one side, by any strides") {
  const int64_t n = 1000;
  std::vector<uint8_t> condition(n);
  std::vector<int32_t> x(n), y{-7}, out(n);
  for (int64_t i = 0; i < n; i++) condition[i] = i % 3 == 0, x[i] = (int32_t)i;
  lensor_view c = view(condition, {n});
  c.dtype = LENSOR_BOOL;
  const lensor_view a = view(x, {n}), b = view(y, {n}, {0}), to = view(out, {n});
  CHECK_EQ(ops.where(context, &c, &a, &b, &to), LENSOR_OK);
  for (int64_t i = 0; i < n; i++) CHECK_EQ(out[i], i % 3 == 0 ? (int32_t)i : -7);
}

TEST("an interrupt ends a long loop early") {
  const int64_t n = 1'000'000;
  std::vector<float> x(n, 1), out(n, 0);
  const lensor_view from = view(x, {n}), to = view(out, {n});
  Context stopping(context->threads);
  stopping.interrupt_at = 5;
  CHECK_EQ(ops.unary(&stopping, LENSOR_EXP, &from, &to), LENSOR_INTERRUPTED);
  CHECK(out[n - 1] == 0);
}
