// Rotary embedding by position against its formula in double, and turned back again.
#include "cast.h"
#include "tolerance.h"

using namespace lensor::test;

TEST("rotate turns rows of a wider matrix by their positions") {
  const Tolerance within = tolerance(ops, "rotate");
  for (int64_t half : {1, 15, 16, 17, 32}) {
    const int64_t rows = 21, heads = 3, width = 2 * half, stride = heads * width + 7, table = 50;
    auto x = noise(rows * stride, 1);
    const auto angle = noise(table * half, 2);
    std::vector<float> out(rows * heads * width), cosine, sine;
    for (float a : angle) cosine.push_back(std::cos(3 * a)), sine.push_back(std::sin(3 * a));
    std::vector<int64_t> positions;
    for (int64_t row = 0; row < rows; row++) positions.push_back(row * 17 % table);
    const lensor_view from = view(x, {rows, heads, width}, {stride, width, 1}),
                      to = view(out, {rows, heads, width});
    for (const double sign : {1, -1}) {
      CHECK_EQ(ops.rotate(context, &from, positions.data(), cosine.data(), sine.data(), sign < 0, &to),
               LENSOR_OK);
      for (int64_t row = 0; row < rows; row++)
        for (int64_t h = 0; h < heads; h++)
          for (int64_t i = 0; i < half; i++) {
            const double a = x[row * stride + h * width + i], b = x[row * stride + h * width + half + i];
            const double c = cosine[positions[row] * half + i], s = sign * sine[positions[row] * half + i];
            CHECK_NEAR(out[(row * heads + h) * width + i], a * c - b * s, within);
            CHECK_NEAR(out[(row * heads + h) * width + half + i], b * c + a * s, within);
          }
    }
  }
}

TEST("rotate works in place and in bf16, where it rounds once") {
  const int64_t rows = 300, heads = 2, width = 40;
  auto x = rounded<bf16>(ops, context, noise(rows * heads * width, 3));
  auto narrow = cast<bf16>(ops, context, x);
  const auto cosine = noise(rows * width / 2, 4), sine = noise(rows * width / 2, 5);
  std::vector<int64_t> positions;
  for (int64_t row = rows; row-- > 0;) positions.push_back(row);
  const lensor_view xs = view(x, {rows, heads, width}), ns = view(narrow, {rows, heads, width});
  CHECK_EQ(ops.rotate(context, &xs, positions.data(), cosine.data(), sine.data(), 0, &xs), LENSOR_OK);
  CHECK_EQ(ops.rotate(context, &ns, positions.data(), cosine.data(), sine.data(), 0, &ns), LENSOR_OK);
  CHECK_SAME(narrow, cast<bf16>(ops, context, x));
}
