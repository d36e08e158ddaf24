// Groups on their grids against the formula in double, cut and whole, and what must not change a bit.
#include "tolerance.h"
#include <algorithm>
#include <cmath>

using namespace lensor::test;

namespace {

struct Rounded {
  std::vector<float> values, scale, offset;
};

Rounded round_groups(const lensor_ops& ops, Context* context, std::vector<float> w, int64_t cols,
                     int32_t bits, bool symmetric, int64_t group, float reach) {
  const int64_t rows = (int64_t)w.size() / cols;
  Rounded out{std::vector<float>(w.size(), 9), std::vector<float>(w.size() / group, 9),
              std::vector<float>(w.size() / group, 9)};
  const lensor_view ws = view(w, {rows, cols}), scale = view(out.scale, {rows, cols / group}),
                    offset = view(out.offset, {rows, cols / group}), values = view(out.values, {rows, cols});
  const lensor_round_groups g{&ws, bits, symmetric, group, reach, &scale, &offset, &values};
  CHECK_EQ(ops.round_groups(context, &g), LENSOR_OK);
  return out;
}

} // namespace

TEST("groups become the nearest numbers of the grid between their ends, which a reach below 1 cuts") {
  for (int64_t group : {32, 64, 128})
    for (bool symmetric : {true, false})
      for (float reach : {1.0f, 0.6f}) {
        const int64_t rows = 5, cols = 384;
        const int32_t bits = 3;
        const auto w = noise(rows * cols, 7);
        const Rounded got = round_groups(ops, context, w, cols, bits, symmetric, group, reach);
        for (int64_t g = 0; g < rows * cols / group; g++) {
          const float* x = w.data() + g * group;
          double low = 0, high = 0;
          for (int64_t i = 0; i < group; i++)
            low = std::min<double>(low, x[i]), high = std::max<double>(high, x[i]);
          const double cut = reach * std::max(high, -low);
          low = std::max(low, -cut), high = std::min(high, cut);
          const double scale = got.scale[g], offset = got.offset[g];
          CHECK_NEAR(scale, symmetric ? 2 * cut / 7 : (high - low) / 7, 1e-3);
          CHECK_NEAR(offset, symmetric ? -4 * scale : low, 1e-3);
          for (int64_t i = 0; i < group; i++) {
            const double code = std::clamp((x[i] - offset) / scale, 0.0, 7.0);
            CHECK(std::abs(got.values[g * group + i] - (offset + scale * std::round(code))) < 1e-5 ||
                  std::abs(code - std::floor(code) - 0.5) < 1e-3);
          }
        }
      }
}

TEST("a group of zeros stays zeros, and zeros of a symmetric grid are its own") {
  std::vector<float> w(128, 0);
  w[64] = 0.5f, w[80] = -0.25f;
  const Rounded got = round_groups(ops, context, w, 128, 4, true, 64, 1);
  for (int64_t i = 0; i < 128; i++) CHECK(i == 64 || i == 80 || got.values[i] == 0);
  CHECK(got.scale[0] > 0);
}
