// RMS norm against the same formula in double, for widths around the vector length.
#include "tolerance.h"

using namespace lensor::test;

TEST("rms norm") {
  const Tolerance within = tolerance(ops, "decoder's norm");
  for (int64_t width : {1, 15, 16, 33, 576}) {
    const auto x = noise(40 * width, 1), gain = noise(width, 2);
    std::vector<float> out(x.size());
    CHECK_EQ(ops.rms_norm(context, x.data(), gain.data(), 1e-5f, 40, width, out.data()), LENSOR_OK);
    for (int64_t row = 0; row < 40; row++) {
      double sum = 0;
      for (int64_t i = 0; i < width; i++) sum += (double)x[row * width + i] * x[row * width + i];
      const double scale = 1 / std::sqrt(sum / width + 1e-5f);
      for (int64_t i = 0; i < width; i++)
        CHECK_NEAR(out[row * width + i], x[row * width + i] * scale * gain[i], within);
    }
  }
}
