// GPTQ's sweep against its formula in double, column after column, and what must not change a bit.
#include "factor.h"
#include "tolerance.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace lensor::test;

namespace {

struct Swept {
  std::vector<float> values, scale, offset;
};

Swept sweep(const lensor_ops& ops, Context* context, std::vector<float> w, std::vector<float> u, int64_t cols,
            int32_t bits, bool symmetric, int64_t group, int64_t block, lensor_status wanted = LENSOR_OK) {
  const int64_t rows = (int64_t)w.size() / cols;
  Swept out{std::vector<float>(w.size(), 9), std::vector<float>(w.size() / group, 9),
            std::vector<float>(w.size() / group, 9)};
  const lensor_view ws = view(w, {rows, cols}), us = view(u, {cols, cols}),
                    scale = view(out.scale, {rows, cols / group}),
                    offset = view(out.offset, {rows, cols / group}), values = view(out.values, {rows, cols});
  const lensor_gptq g{&ws, &us, bits, symmetric, group, block, nullptr, &scale, &offset, &values};
  CHECK_EQ(ops.gptq_sweep(context, &g), wanted);
  return out;
}

} // namespace

TEST(
    "GPTQ's sweep rounds each column to its group's numbers and corrects the ones behind it by the formula") {
  for (int64_t cols : {32, 96, 320})
    for (bool symmetric : {true, false}) {
      const int64_t rows = 19, group = 32;
      const int32_t bits = 3;
      const auto w = noise(rows * cols, 5), u = factor(cols);
      const Swept got = sweep(ops, context, w, u, cols, bits, symmetric, group, 64);
      for (int64_t r = 0; r < rows; r++) {
        std::vector<double> row(w.begin() + r * cols, w.begin() + (r + 1) * cols);
        for (int64_t j = 0; j < cols; j++) {
          const int64_t at = r * cols / group + j / group;
          const double scale = got.scale[at], offset = got.offset[at];
          if (j % group == 0) {
            double low = 0, high = 0;
            for (int64_t i = j; i < j + group; i++)
              low = std::min(low, row[i]), high = std::max(high, row[i]);
            const double most = std::max(high, -low);
            CHECK_NEAR(scale, symmetric ? 2 * most / 7 : (high - low) / 7, 1e-3);
            CHECK_NEAR(offset, symmetric ? -4 * scale : low, 1e-3);
          }
          const double code = std::clamp((row[j] - offset) / scale, 0.0, 7.0);
          const double q = got.values[r * cols + j];
          // The nearest, and where two are as near to float's eye either.
          CHECK(std::abs(q - (offset + scale * std::round(code))) < 1e-5 ||
                std::abs(code - std::floor(code) - 0.5) < 1e-3);
          const double e = (row[j] - q) / u[j * cols + j];
          for (int64_t l = j; l < cols; l++) row[l] -= e * u[j * cols + l];
        }
      }
    }
}

TEST("a row's bits depend neither on the rows beside it nor on the threads, and a factor that is none is "
     "told") {
  const int64_t cols = 192, rows = 37;
  const auto w = noise(rows * cols, 8), u = factor(cols);
  const Swept all = sweep(ops, context, w, u, cols, 4, true, 64, 128);
  for (int64_t r : {0, 16, 36}) {
    const std::vector<float> one(w.begin() + r * cols, w.begin() + (r + 1) * cols);
    const Swept alone = sweep(ops, context, one, u, cols, 4, true, 64, 128);
    CHECK(std::equal(alone.values.begin(), alone.values.end(), all.values.begin() + r * cols));
  }
  auto wrong = u;
  wrong[5 * cols + 5] = 0;
  sweep(ops, context, w, wrong, cols, 4, true, 64, 128, LENSOR_BAD_VALUE);
}
