// The k largest of each row against a full sort, and rows taken by number.
#include "check.h"
#include <algorithm>
#include <limits>
#include <numeric>

using namespace lensor::test;

TEST("topK lists the largest first, the earlier of equals first") {
  const int64_t rows = 3, n = 1000;
  auto x = noise(rows * n, 1);
  for (auto& f : x) f = std::round(f * 50); // many ties
  for (int64_t k : {1, 5, 64, 1000}) {
    std::vector<float> values(rows * k);
    std::vector<int64_t> indices(rows * k);
    const lensor_view from = view(x, {rows, n}), v = view(values, {rows, k}), i = view(indices, {rows, k});
    CHECK_EQ(ops.top_k(context, &from, &v, &i), LENSOR_OK);
    for (int64_t row = 0; row < rows; row++) {
      std::vector<int64_t> order(n);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(),
                       [&](int64_t a, int64_t b) { return x[row * n + a] > x[row * n + b]; });
      for (int64_t j = 0; j < k; j++) {
        CHECK_EQ(indices[row * k + j], order[j]);
        CHECK_EQ(values[row * k + j], x[row * n + order[j]]);
      }
    }
  }
}

TEST("topK puts NaN above infinity, and knows integers and 16-bit floats") {
  std::vector<float> x{1, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()},
      values(3);
  std::vector<int64_t> indices(3), big{INT64_MAX - 1, INT64_MAX, -1}, most(3);
  const lensor_view from = view(x, {1, 3}), v = view(values, {1, 3}), i = view(indices, {1, 3});
  CHECK_EQ(ops.top_k(context, &from, &v, &i), LENSOR_OK);
  CHECK(indices == (std::vector<int64_t>{1, 2, 0}));
  const lensor_view whole = view(big, {1, 3}), w = view(most, {1, 3});
  CHECK_EQ(ops.top_k(context, &whole, &w, &i), LENSOR_OK);
  CHECK(indices == (std::vector<int64_t>{1, 0, 2}));
  std::vector<bf16> brain{{0xbf80}, {0x4000}, {0x3f80}}, best(3); // -1, 2, 1
  const lensor_view brains = view(brain, {1, 3}), b = view(best, {1, 3});
  CHECK_EQ(ops.top_k(context, &brains, &b, &i), LENSOR_OK);
  CHECK(indices == (std::vector<int64_t>{1, 2, 0}));
}

TEST("gather takes rows by number, negative ones from the end, of any view") {
  const int64_t rows = 9, columns = 700;
  std::vector<float> x = noise(rows * columns, 2), out(4 * columns);
  std::vector<int64_t> index{0, -1, 3, 3};
  const lensor_view i = view(index, {4}), to = view(out, {4, columns});
  for (const bool transposed : {false, true}) {
    const std::vector<int64_t> stride =
        transposed ? std::vector<int64_t>{1, rows} : std::vector<int64_t>{columns, 1};
    const lensor_view from = view(x, {rows, columns}, stride);
    CHECK_EQ(ops.gather(context, &from, &i, &to), LENSOR_OK);
    for (int64_t r = 0; r < 4; r++)
      for (int64_t c = 0; c < columns; c++)
        CHECK_EQ(out[r * columns + c], x[(index[r] + (index[r] < 0 ? rows : 0)) * stride[0] + c * stride[1]]);
  }
}

TEST("gather refuses a row that is not there") {
  std::vector<float> x(6), out(2);
  for (int64_t bad : {3, -4}) {
    std::vector<int64_t> index{bad};
    const lensor_view from = view(x, {3, 2}), i = view(index, {1}), to = view(out, {1, 2});
    CHECK_EQ(ops.gather(context, &from, &i, &to), LENSOR_BAD_INDEX);
  }
}
