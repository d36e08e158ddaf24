// Rows added by index against plain loops in the order of the index, bit for bit.
#include "cast.h"

using namespace lensor::test;

namespace {

template <class T>
void check_scatter(const lensor_ops& ops, Context* context, int64_t rows, int64_t count, int64_t width) {
  std::vector<T> x(count * width), out(rows * width);
  const auto a = noise(x.size(), 1), b = noise(out.size(), 2);
  for (size_t i = 0; i < x.size(); i++) x[i] = (T)(a[i] * 1000);
  for (size_t i = 0; i < out.size(); i++) out[i] = (T)(b[i] * 1000);
  std::vector<int64_t> index(count);
  const auto which = noise(count, 3);
  for (int64_t i = 0; i < count; i++) index[i] = (int64_t)(which[i] * (float)rows);
  auto wanted = out;
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < width; j++) {
      T& place = wanted[(index[i] < 0 ? index[i] + rows : index[i]) * width + j];
      place = (T)(place + x[i * width + j]);
    }
  const lensor_view xs = view(x, {count, width}), is = view(index, {count}), outs = view(out, {rows, width});
  CHECK_EQ(ops.scatter_add(context, &xs, &is, &outs), LENSOR_OK);
  CHECK_SAME(out, wanted);
}

} // namespace

TEST("scatter adds rows in the order of the index, hit often or never") {
  for (int64_t width : {1, 3, 16, 255, 256, 700})
    for (int64_t count : {0, 1, 17, 400}) {
      check_scatter<float>(ops, context, 5, count, width);
      check_scatter<float>(ops, context, 1, count, width);
      check_scatter<float>(ops, context, 3000, count, width);
      check_scatter<int32_t>(ops, context, 5, count, width);
      check_scatter<int64_t>(ops, context, 5, count, width);
    }
  check_scatter<float>(ops, context, 100, 300'000, 1);
  check_scatter<float>(ops, context, 100, 3000, 576);
}

TEST("scatter rounds 16-bit floats after each addition") {
  const int64_t count = 50, width = 600;
  auto x = rounded<bf16>(ops, context, noise(count * width, 4));
  auto narrow = cast<bf16>(ops, context, x);
  std::vector<bf16> out(width);
  std::vector<int64_t> index(count);
  const lensor_view xs = view(narrow, {count, width}), is = view(index, {count}),
                    outs = view(out, {1, width});
  CHECK_EQ(ops.scatter_add(context, &xs, &is, &outs), LENSOR_OK);
  std::vector<float> wanted(width);
  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = 0; j < width; j++) wanted[j] += x[i * width + j];
    wanted = rounded<bf16>(ops, context, wanted);
  }
  CHECK_SAME(out, cast<bf16>(ops, context, wanted));
}

TEST("scatter reads a row that repeats and an index of any rank") {
  std::vector<float> x{1, 2, 3}, out(6);
  std::vector<int64_t> index{0, -1, 0, 1};
  const lensor_view xs = view(x, {2, 2, 3}, {0, 0, 1}), is = view(index, {2, 2}), outs = view(out, {2, 3});
  CHECK_EQ(ops.scatter_add(context, &xs, &is, &outs), LENSOR_OK);
  CHECK(out == (std::vector<float>{2, 4, 6, 2, 4, 6}));
}

TEST("scatter refuses a row that is not there and leaves the result alone; stops when interrupted") {
  std::vector<float> x(4, 1), out(6);
  for (int64_t bad : {3, -4}) {
    std::vector<int64_t> index{0, bad};
    const lensor_view xs = view(x, {2, 2}), is = view(index, {2}), outs = view(out, {3, 2});
    CHECK_EQ(ops.scatter_add(context, &xs, &is, &outs), LENSOR_BAD_INDEX);
    CHECK(out == std::vector<float>(6));
  }
  std::vector<float> many(3'000'000);
  std::vector<int64_t> index(many.size());
  const lensor_view xs = view(many, {3'000'000, 1}), is = view(index, {3'000'000}), outs = view(out, {6, 1});
  Context stopped(1);
  stopped.interrupt_at = 2;
  CHECK_EQ(ops.scatter_add(&stopped, &xs, &is, &outs), LENSOR_INTERRUPTED);
}
