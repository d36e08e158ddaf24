// What stands between a decoder's matrices, against the same formulas in double, for widths around the vector
// length.
#include "check.h"

using namespace lensor::test;

TEST("rms norm") {
  for (int64_t width : {1, 15, 16, 33, 576}) {
    const auto x = noise(40 * width, 1), gain = noise(width, 2);
    std::vector<float> out(x.size());
    CHECK_EQ(ops.rms_norm(context, x.data(), gain.data(), 1e-5f, 40, width, out.data()), LENSOR_OK);
    for (int64_t row = 0; row < 40; row++) {
      double sum = 0;
      for (int64_t i = 0; i < width; i++) sum += (double)x[row * width + i] * x[row * width + i];
      const double scale = 1 / std::sqrt(sum / width + 1e-5f);
      for (int64_t i = 0; i < width; i++)
        CHECK_NEAR(out[row * width + i], x[row * width + i] * scale * gain[i], 1e-6);
    }
  }
}

TEST("rope turns the halves of each head and leaves the rest of a row alone") {
  const int32_t heads = 3, width = 40, half = 20;
  const int64_t stride = heads * width + 5, rows = 19;
  const auto before = noise(rows * stride, 3), angle = noise(rows * half, 4);
  std::vector<float> x = before, cosine, sine;
  for (float a : angle) cosine.push_back(std::cos(a)), sine.push_back(std::sin(a));
  CHECK_EQ(ops.rope(context, x.data(), rows, stride, heads, width, cosine.data(), sine.data()), LENSOR_OK);
  for (int64_t row = 0; row < rows; row++) {
    for (int32_t h = 0; h < heads; h++)
      for (int i = 0; i < half; i++) {
        const int64_t a = row * stride + h * width + i, b = a + half;
        const double c = cosine[row * half + i], s = sine[row * half + i];
        CHECK_NEAR(x[a], before[a] * c - before[b] * s, 1e-6);
        CHECK_NEAR(x[b], before[b] * c + before[a] * s, 1e-6);
      }
    for (int64_t i = heads * width; i < stride; i++) CHECK_EQ(x[row * stride + i], before[row * stride + i]);
  }
}

TEST("silu times up") {
  auto gate = noise(5000, 5);
  const auto up = noise(5000, 6);
  for (float& x : gate) x *= 30;
  gate[0] = 100, gate[1] = -100, gate[2] = 0;
  auto out = gate;
  CHECK_EQ(ops.silu_mul(context, out.data(), up.data(), 5000), LENSOR_OK);
  for (int i = 0; i < 5000; i++) CHECK_NEAR(out[i], gate[i] / (1 + std::exp(-(double)gate[i])) * up[i], 2e-6);
}
