// Gated units and their gradients against what their parts give: the activation, its derivative, a product.
#include "cast.h"
#include "tolerance.h"

using namespace lensor::test;

namespace {

constexpr lensor_unary kGates[] = {LENSOR_RELU, LENSOR_SIGMOID, LENSOR_SILU, LENSOR_GELU, LENSOR_GELU_TANH};

struct Result {
  std::vector<float> out, dgate, dup;
};

Result run(const lensor_ops& ops, Context* context, lensor_unary op, std::vector<float> gate,
           std::vector<float> up, std::vector<float> dy) {
  const std::vector<int64_t> shape{(int64_t)gate.size()};
  Result r{std::vector<float>(gate.size()), std::vector<float>(gate.size()), std::vector<float>(gate.size())};
  const lensor_view g = view(gate, shape), u = view(up, shape), d = view(dy, shape), out = view(r.out, shape),
                    dg = view(r.dgate, shape), du = view(r.dup, shape);
  CHECK_EQ(ops.glu(context, op, &g, &u, &out), LENSOR_OK);
  CHECK_EQ(ops.glu_grad(context, op, &g, &u, &d, &dg, &du), LENSOR_OK);
  return r;
}

double activation(lensor_unary op, double x) {
  switch (op) {
  case LENSOR_RELU:
    return std::max(x, 0.0);
  case LENSOR_SIGMOID:
    return 1 / (1 + std::exp(-x));
  case LENSOR_SILU:
    return x / (1 + std::exp(-x));
  case LENSOR_GELU:
    return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  default:
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  }
}

} // namespace

TEST("gated units and their gradients against doubles") {
  const Tolerance within = tolerance(ops, "gate"), gradients = tolerance(ops, "gate's gradient");
  for (const lensor_unary op : kGates)
    for (int64_t n : {0, 1, 15, 16, 17, 600, 40'001}) {
      auto gate = noise(n, 1);
      for (float& f : gate) f *= 8;
      const auto up = noise(n, 2), dy = noise(n, 3);
      const Result r = run(ops, context, op, gate, up, dy);
      for (int64_t i = 0; i < n; i++) {
        // The slope by differences: exact to 1e-9 away from relu's kink, which noise does not hit.
        const double step = 1e-5, x = gate[i];
        const double slope = (activation(op, x + step) - activation(op, x - step)) / (2 * step);
        CHECK_NEAR(r.out[i], activation(op, x) * up[i], within);
        CHECK_NEAR(r.dgate[i], dy[i] * up[i] * slope, gradients);
        CHECK_NEAR(r.dup[i], dy[i] * activation(op, x), gradients);
      }
    }
}

TEST("a gradient of gated units may replace what it came from") {
  const int64_t n = 5000;
  auto gate = noise(n, 1), up = noise(n, 2), dy = noise(n, 3);
  const Result r = run(ops, context, LENSOR_SILU, gate, up, dy);
  const lensor_view g = view(gate, {n}), u = view(up, {n}), d = view(dy, {n});
  CHECK_EQ(ops.glu_grad(context, LENSOR_SILU, &g, &u, &d, &g, &u), LENSOR_OK);
  CHECK_SAME(gate, r.dgate);
  CHECK_SAME(up, r.dup);
}

TEST("gated units in 16 bits are those of their values, rounded once") {
  const auto narrow = [&](auto kind) {
    using T = decltype(kind);
    const int64_t n = 2001;
    const auto gate = rounded<T>(ops, context, noise(n, 1)), up = rounded<T>(ops, context, noise(n, 2)),
               dy = rounded<T>(ops, context, noise(n, 3));
    const Result wide = run(ops, context, LENSOR_GELU_TANH, gate, up, dy);
    auto ng = cast<T>(ops, context, gate), nu = cast<T>(ops, context, up), nd = cast<T>(ops, context, dy);
    std::vector<T> out(n), dgate(n), dup(n);
    const lensor_view g = view(ng, {n}), u = view(nu, {n}), d = view(nd, {n}), o = view(out, {n}),
                      dg = view(dgate, {n}), du = view(dup, {n});
    CHECK_EQ(ops.glu(context, LENSOR_GELU_TANH, &g, &u, &o), LENSOR_OK);
    CHECK_EQ(ops.glu_grad(context, LENSOR_GELU_TANH, &g, &u, &d, &dg, &du), LENSOR_OK);
    CHECK_SAME(out, cast<T>(ops, context, wide.out));
    CHECK_SAME(dgate, cast<T>(ops, context, wide.dgate));
    CHECK_SAME(dup, cast<T>(ops, context, wide.dup));
  };
  narrow(f16{});
  narrow(bf16{});
}
