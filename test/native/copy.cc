// The copy kernel: casts as torch casts, and every pair of layouts against a loop over the elements.
#include "check.h"
#include <limits>
#include <numeric>

using namespace lensor::test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class From, class To> std::vector<To> cast(const lensor_ops& ops, Context* context,
                                                     std::vector<From> x, int32_t to_dtype = dtype_of<To>()) {
  const int64_t n = (int64_t)x.size();
  std::vector<To> out(x.size());
  const lensor_view from = view(x, {n});
  lensor_view to = view(out, {n});
  to.dtype = to_dtype;
  CHECK_EQ(ops.copy(context, &from, &to), LENSOR_OK);
  return out;
}

template <class T> std::vector<T> counting(size_t n) {
  std::vector<T> x(n);
  for (size_t i = 0; i < n; i++) x[i] = static_cast<T>(i * 7 + 3);
  return x;
}

} // namespace

TEST("f32 to 16 bits rounds half to even, subnormals and NaN included") {
  // 1 + 2^-11 lies half way between two f16: the even one is below, of 1 + 3 2^-11 above.
  const auto half = cast<float, f16>(ops, context,
                                     {1, 1.00048828125f, 1.00146484375f, 65504, 65520, 5.9604645e-8f,
                                      2.9802322e-8f, 1e-10f, -0.0f, kInfinity, kNan});
  const uint16_t wanted[] = {0x3c00, 0x3c00, 0x3c02, 0x7bff, 0x7c00, 0x0001, 0x0000, 0x0000, 0x8000, 0x7c00};
  for (size_t i = 0; i < std::size(wanted); i++) CHECK_EQ(half[i].bits, wanted[i]);
  CHECK((half.back().bits & 0x7c00) == 0x7c00 && (half.back().bits & 0x3ff));
  const auto brain =
      cast<float, bf16>(ops, context, {1, 1.00390625f, 1.01171875f, 3.4028235e38f, 1e-40f, -kInfinity, kNan});
  const uint16_t wide[] = {0x3f80, 0x3f80, 0x3f82, 0x7f80, 0x0001, 0xff80};
  for (size_t i = 0; i < std::size(wide); i++) CHECK_EQ(brain[i].bits, wide[i]);
  CHECK((brain.back().bits & 0x7f80) == 0x7f80 && (brain.back().bits & 0x7f));
}

TEST("every f16 and bf16 survives f32 and back") {
  std::vector<f16> half(65536);
  std::vector<bf16> brain(65536);
  for (uint32_t i = 0; i < 65536; i++) {
    // A signalling NaN comes back quiet; all that matters is that it stays one.
    half[i].bits = (i & 0x7c00) == 0x7c00 && (i & 0x3ff) ? 0x7e00 : i;
    brain[i].bits = (i & 0x7f80) == 0x7f80 && (i & 0x7f) ? 0x7fc0 : i;
  }
  CHECK_SAME((cast<float, f16>(ops, context, cast<f16, float>(ops, context, half))), half);
  CHECK_SAME((cast<float, bf16>(ops, context, cast<bf16, float>(ops, context, brain))), brain);
}

TEST("floats truncate to integers, integers wrap, anything but 0 is true") {
  CHECK((cast<float, int32_t>(ops, context, {1.9f, -1.9f, -0.0f, 2147483000.0f}) ==
         std::vector<int32_t>{1, -1, 0, 2147483008}));
  CHECK((cast<float, uint8_t>(ops, context, {1.9f, 200.5f, 255}) == std::vector<uint8_t>{1, 200, 255}));
  CHECK((cast<float, int64_t>(ops, context, {1e15f, -3}) == std::vector<int64_t>{999999986991104, -3}));
  CHECK((cast<int32_t, uint8_t>(ops, context, {-1, 256, 257}) == std::vector<uint8_t>{255, 0, 1}));
  CHECK((cast<int64_t, int32_t>(ops, context, {4294967297, -1, 2147483648}) ==
         std::vector<int32_t>{1, -1, INT32_MIN}));
  CHECK((cast<uint8_t, int8_t>(ops, context, {200, 3}) == std::vector<int8_t>{-56, 3}));
  CHECK((cast<int64_t, float>(ops, context, {16777217, -5}) == std::vector<float>{16777216, -5}));
  CHECK((cast<float, uint8_t>(ops, context, {0, -0.0f, 1e-30f, kNan}, LENSOR_BOOL) ==
         std::vector<uint8_t>{0, 0, 1, 1}));
  CHECK((cast<int32_t, uint8_t>(ops, context, {0, 256, -1}, LENSOR_BOOL) == std::vector<uint8_t>{0, 1, 1}));
}

TEST("axes in any order, for elements of each size") {
  const auto check = [&]<class T>(T) {
    const int64_t a = 5, b = 67, c = 41;
    std::vector<T> x = counting<T>(a * b * c), out(a * b * c);
    // Orders of the axes, as strides of x for out's axes.
    const int64_t s[] = {b * c, c, 1}, n[] = {a, b, c};
    for (const auto& order :
         {std::vector<int>{0, 2, 1}, {2, 1, 0}, {1, 0, 2}, {2, 0, 1}, {1, 2, 0}, {0, 1, 2}}) {
      const std::vector<int64_t> shape{n[order[0]], n[order[1]], n[order[2]]};
      const lensor_view from = view(x, shape, {s[order[0]], s[order[1]], s[order[2]]}), to = view(out, shape);
      CHECK_EQ(ops.copy(context, &from, &to), LENSOR_OK);
      size_t at = 0, wrong = 0;
      for (int64_t i = 0; i < shape[0]; i++)
        for (int64_t j = 0; j < shape[1]; j++)
          for (int64_t k = 0; k < shape[2]; k++)
            wrong += out[at++] != x[i * s[order[0]] + j * s[order[1]] + k * s[order[2]]];
      CHECK_EQ(wrong, 0u);
    }
  };
  check(uint8_t{});
  check(int32_t{});
  check(int64_t{});
}

TEST("a cast reads and writes strided views") {
  const int64_t rows = 70, columns = 90;
  std::vector<float> x(rows * columns);
  std::iota(x.begin(), x.end(), 0.0f);
  std::vector<int32_t> out(rows * columns * 2, -1);
  const lensor_view from = view(x, {rows, columns}, {1, rows});
  const lensor_view to = view(out, {rows, columns}, {2 * columns, 2});
  CHECK_EQ(ops.copy(context, &from, &to), LENSOR_OK);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) {
      CHECK_EQ(out[r * 2 * columns + 2 * c], r + c * rows);
      CHECK_EQ(out[r * 2 * columns + 2 * c + 1], -1);
    }
}

TEST("long contiguous copies and repeated values") {
  const int64_t n = 300'001;
  std::vector<float> x = noise(n, 1), out(n), one{2.5f};
  const lensor_view from = view(x, {n}), to = view(out, {n}), repeated = view(one, {n}, {0});
  CHECK_EQ(ops.copy(context, &from, &to), LENSOR_OK);
  CHECK_SAME(out, x);
  CHECK_EQ(ops.copy(context, &repeated, &to), LENSOR_OK);
  CHECK_SAME(out, std::vector<float>(n, 2.5f));
}

TEST("copies of nothing and of one value") {
  std::vector<float> x{4}, out{0};
  lensor_view from = view(x, {}), to = view(out, {});
  CHECK_EQ(ops.copy(context, &from, &to), LENSOR_OK);
  CHECK_EQ(out[0], 4);
  from = view(x, {0, 3});
  to = view(out, {0, 3});
  CHECK_EQ(ops.copy(context, &from, &to), LENSOR_OK);
}
