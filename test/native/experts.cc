// Rows of experts brought together and their gradient, against sums in double. Tolerance: a few roundings of
// f32.
#include "tolerance.h"

using namespace lensor::test;

TEST("combine adds each token's rows by their gates, a token without rows included") {
  const int64_t R = 7, T = 4, d = 601;
  auto rows = noise(R * d, 1), gates = noise(R, 2), there = noise(T * d, 3);
  const std::vector<int64_t> tokens{2, 0, 2, 3, 0, 2, 3};
  for (const bool gated : {false, true}) {
    std::vector<float> out(T * d, -1);
    const lensor_view from = view(rows, {R, d}), to = view(out, {T, d});
    lensor_combine c{&from, tokens.data(), gated ? gates.data() : nullptr, there.data(), &to};
    CHECK_EQ(ops.combine(context, &c), LENSOR_OK);
    for (int64_t t = 0; t < T; t++)
      for (int64_t i = 0; i < d; i++) {
        double wanted = there[t * d + i];
        for (int64_t r = 0; r < R; r++)
          if (tokens[r] == t) wanted += (gated ? gates[r] : 1.0) * (double)rows[r * d + i];
        CHECK_NEAR(out[t * d + i], wanted, 1e-6);
      }
  }
}

TEST("combine's gradient is each row's gate times its token's, and their product") {
  const int64_t R = 5, T = 3, d = 530;
  auto rows = noise(R * d, 4), gates = noise(R, 5), dy = noise(T * d, 6);
  const std::vector<int64_t> tokens{1, 0, 1, 1, 0};
  std::vector<float> drows(R * d), dgates(R);
  const lensor_view x = view(rows, {R, d}), g = view(dy, {T, d}), to = view(drows, {R, d});
  const lensor_combine c{&x, tokens.data(), gates.data(), nullptr, &g};
  CHECK_EQ(ops.combine_grad(context, &c, &g, &to, dgates.data()), LENSOR_OK);
  for (int64_t r = 0; r < R; r++) {
    double dot = 0;
    for (int64_t i = 0; i < d; i++) {
      CHECK_NEAR(drows[r * d + i], gates[r] * dy[tokens[r] * d + i], 1e-7);
      dot += (double)rows[r * d + i] * dy[tokens[r] * d + i];
    }
    CHECK_NEAR(dgates[r], dot, 1e-5);
  }
}

TEST("combine refuses a token that does not exist") {
  std::vector<float> rows(4), out(4);
  const std::vector<int64_t> tokens{2};
  const lensor_view from = view(rows, {1, 4}), to = view(out, {1, 4});
  const lensor_combine c{&from, tokens.data(), nullptr, nullptr, &to};
  CHECK_EQ(ops.combine(context, &c), LENSOR_BAD_INDEX);
}
