// Optimizer steps against torch's formulas in double over several steps; states in 8 bits against the code as
// the paper describes it; sums of squares.
#include "cast.h"
#include "tolerance.h"
#include <algorithm>

using namespace lensor::test;

namespace {

constexpr int64_t kSteps = 5;

struct Hyper {
  float lr = 0.01f, beta1 = 0.9f, beta2 = 0.99f, epsilon = 1e-8f, decay = 0.1f, momentum = 0, dampening = 0;
  bool nesterov = false;
};

lensor_optimizer_step step_of(int kind, const Hyper& h, std::vector<float>& p, const std::vector<float>& g,
                              int64_t step) {
  lensor_optimizer_step s{};
  s.kind = kind;
  s.count = (int64_t)p.size();
  s.step = step;
  s.parameter = p.data();
  s.gradient = g.data();
  s.gradient_dtype = LENSOR_F32;
  s.gradient_scale = 0.5f;
  s.lr = h.lr, s.beta1 = h.beta1, s.beta2 = h.beta2, s.epsilon = h.epsilon, s.weight_decay = h.decay;
  s.momentum = h.momentum, s.dampening = h.dampening, s.nesterov = h.nesterov;
  return s;
}

double sign(double x) { return (x > 0) - (x < 0); }

// One element's step in double; m and v are its states.
void expected(int kind, const Hyper& h, int64_t step, double g, double& p, double& m, double& v) {
  g *= 0.5;
  if (kind == LENSOR_SGD) {
    g += h.decay * p;
    if (h.momentum != 0) {
      m = step == 1 ? g : h.momentum * m + (1 - (double)h.dampening) * g;
      g = h.nesterov ? g + h.momentum * m : m;
    }
    p -= h.lr * g;
  } else if (kind == LENSOR_LION) {
    p = p * (1 - (double)h.lr * h.decay) - h.lr * sign(h.beta1 * m + (1 - (double)h.beta1) * g);
    m = h.beta2 * m + (1 - (double)h.beta2) * g;
  } else {
    p *= 1 - (double)h.lr * h.decay;
    m = h.beta1 * m + (1 - (double)h.beta1) * g;
    v = h.beta2 * v + (1 - (double)h.beta2) * g * g;
    const double bias1 = 1 - std::pow((double)h.beta1, step), bias2 = 1 - std::pow((double)h.beta2, step);
    p -= h.lr / bias1 * m / (std::sqrt(v) / std::sqrt(bias2) + h.epsilon);
  }
}

void check_steps(const lensor_ops& ops, Context* context, int kind, const Hyper& h, int64_t n) {
  const Tolerance within = tolerance(ops, "optimizer");
  auto p = noise(n, 1);
  std::vector<float> state1(n), state2(n);
  std::vector<double> exact(p.begin(), p.end()), m(n), v(n);
  for (int64_t step = 1; step <= kSteps; step++) {
    const auto g = noise(n, 10 + step);
    auto s = step_of(kind, h, p, g, step);
    s.state1 = kind == LENSOR_SGD && h.momentum == 0 ? nullptr : state1.data();
    s.state2 = kind == LENSOR_ADAMW ? state2.data() : nullptr;
    CHECK_EQ(ops.optimizer_step(context, &s), LENSOR_OK);
    for (int64_t i = 0; i < n; i++) expected(kind, h, step, g[i], exact[i], m[i], v[i]);
  }
  for (int64_t i = 0; i < n; i++) {
    CHECK_NEAR(p[i], exact[i], within);
    CHECK_NEAR(state1[i], m[i], within);
    CHECK_NEAR(state2[i], v[i], within);
  }
}

// The numbers of the 8-bit code, from the paper: a sign, a count of zeros that is the decimal exponent, and
// fractions in the middles of equal pieces of [0.1, 1]; 0 and 1 besides.
std::vector<double> numbers(bool with_sign) {
  std::vector<double> all{0, 1};
  for (int decade = 0; decade < 7; decade++) {
    const int pieces = (with_sign ? 1 : 2) << decade;
    for (int j = 0; j < pieces; j++) {
      const double middle = std::pow(10, decade - 6) * (0.1 + 0.9 * (j + 0.5) / pieces);
      all.push_back(middle);
      if (with_sign) all.push_back(-middle);
    }
  }
  std::sort(all.begin(), all.end());
  return all;
}

double nearest(const std::vector<double>& all, double x) {
  double best = all[0];
  for (double y : all)
    if (std::abs(y - x) < std::abs(best - x)) best = y;
  return best;
}

} // namespace

TEST("optimizer steps against torch's formulas") {
  for (int64_t n : {0, 1, 15, 16, 17, 513, 40'001}) {
    check_steps(ops, context, LENSOR_SGD, {}, n);
    check_steps(ops, context, LENSOR_SGD, {.momentum = 0.9f}, n);
    check_steps(ops, context, LENSOR_SGD, {.decay = 0, .momentum = 0.9f, .dampening = 0.3f}, n);
    check_steps(ops, context, LENSOR_SGD, {.momentum = 0.9f, .nesterov = true}, n);
    check_steps(ops, context, LENSOR_ADAMW, {}, n);
    check_steps(ops, context, LENSOR_ADAMW, {.epsilon = 1e-3f, .decay = 0}, n);
    check_steps(ops, context, LENSOR_LION, {}, n);
  }
}

TEST("a gradient in bf16 is one in f32 of the same values") {
  const int64_t n = 1003;
  const auto g = rounded<bf16>(ops, context, noise(n, 2));
  const auto narrow = cast<bf16>(ops, context, g);
  for (int kind : {LENSOR_SGD, LENSOR_ADAMW, LENSOR_LION}) {
    auto p = noise(n, 1), q = p;
    std::vector<float> p1(n), p2(n), q1(n), q2(n);
    auto s = step_of(kind, {}, p, g, 1), t = step_of(kind, {}, q, g, 1);
    s.state1 = p1.data(), s.state2 = p2.data();
    t.state1 = q1.data(), t.state2 = q2.data();
    t.gradient = narrow.data();
    t.gradient_dtype = LENSOR_BF16;
    CHECK_EQ(ops.optimizer_step(context, &s), LENSOR_OK);
    CHECK_EQ(ops.optimizer_step(context, &t), LENSOR_OK);
    CHECK_SAME(p, q);
    CHECK_SAME(p1, q1);
  }
}

TEST("moments in 8 bits are the nearest codes, and the step is AdamW's from them") {
  const Tolerance within = tolerance(ops, "optimizer in 8 bits");
  const auto signed_codes = numbers(true), unsigned_codes = numbers(false);
  CHECK_EQ(signed_codes.size(), 256u);
  CHECK_EQ(unsigned_codes.size(), 256u);
  const Hyper h;
  for (int64_t n : {1, 17, 255, 256, 257, 1500}) {
    const int64_t blocks = (n + 255) / 256;
    auto p = noise(n, 1);
    std::vector<uint8_t> code1(n), code2(n);
    std::vector<float> scale1(blocks), scale2(blocks);
    std::vector<double> m(n), v(n), exact(n);
    for (int64_t step = 1; step <= kSteps; step++) {
      auto g = noise(n, 10 + step);
      for (float& f : g) f = f * f * f * f * f; // magnitudes of many decades
      exact.assign(p.begin(), p.end());
      auto s = step_of(LENSOR_ADAMW8, h, p, g, step);
      s.code1 = code1.data(), s.code2 = code2.data(), s.scale1 = scale1.data(), s.scale2 = scale2.data();
      CHECK_EQ(ops.optimizer_step(context, &s), LENSOR_OK);
      for (int64_t i = 0; i < n; i++) {
        expected(LENSOR_ADAMW, h, step, g[i], exact[i], m[i], v[i]);
        CHECK_NEAR(p[i], exact[i], within);
      }
      for (int64_t block = 0; block < blocks; block++) {
        double top1 = 0, top2 = 0;
        for (int64_t i = block * 256; i < std::min(n, block * 256 + 256); i++)
          top1 = std::max(top1, std::abs(m[i])), top2 = std::max(top2, v[i]);
        CHECK_NEAR(scale1[block] / top1, 1, within);
        CHECK_NEAR(scale2[block] / top2, 1, within);
        for (int64_t i = block * 256; i < std::min(n, block * 256 + 256); i++) {
          const double a = m[i] / top1, b = v[i] / top2;
          const double coded1 = signed_codes[code1[i]], coded2 = unsigned_codes[code2[i]];
          // As near as the nearest, but for ties that rounding decides.
          CHECK(std::abs(coded1 - a) <= std::abs(nearest(signed_codes, a) - a) + 1e-6 * std::abs(a) + 1e-12);
          CHECK(std::abs(coded2 - b) <= std::abs(nearest(unsigned_codes, b) - b) + 1e-6 * b + 1e-12 ||
                (code2[i] == 1 && b < unsigned_codes[1]));
          m[i] = coded1 * scale1[block];
          v[i] = coded2 * scale2[block];
        }
      }
    }
  }
}

TEST("a second moment of 8 bits that is not 0 does not become 0") {
  std::vector<float> p(2), g{1, 1e-6f}, scale1(1), scale2(1);
  std::vector<uint8_t> code1(2), code2(2);
  auto s = step_of(LENSOR_ADAMW8, {}, p, g, 1);
  s.code1 = code1.data(), s.code2 = code2.data(), s.scale1 = scale1.data(), s.scale2 = scale2.data();
  CHECK_EQ(ops.optimizer_step(context, &s), LENSOR_OK);
  CHECK_EQ(code2[0], 255);
  CHECK_EQ(code2[1], 1);
}

TEST("the sum of squares is right to the last bits and the same on any number of threads") {
  const Tolerance within = tolerance(ops, "sum of squares");
  for (int64_t n : {0, 1, 15, 16, 17, 513, 65'537, 300'001}) {
    auto x = noise(n, 3);
    double wanted = 0;
    for (float f : x) wanted += (double)f * f;
    float found = -1, serially = -1;
    const lensor_view xs = view(x, {n});
    CHECK_EQ(ops.sum_squares(context, &xs, &found), LENSOR_OK);
    CHECK_NEAR(found, wanted, within);
    Context serial(1);
    CHECK_EQ(ops.sum_squares(&serial, &xs, &serially), LENSOR_OK);
    CHECK_EQ(found, serially);
    auto narrow = cast<bf16>(ops, context, x);
    const auto values = rounded<bf16>(ops, context, x);
    wanted = 0;
    for (float f : values) wanted += (double)f * f;
    const lensor_view ns = view(narrow, {n});
    CHECK_EQ(ops.sum_squares(context, &ns, &found), LENSOR_OK);
    CHECK_NEAR(found, wanted, within);
  }
}
