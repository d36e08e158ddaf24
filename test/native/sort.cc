// Sorting against the standard library's stable sort, for every dtype, lengths around where the method
// changes, many equal values, NaN and the two zeros.
#include "cast.h"
#include <algorithm>
#include <limits>
#include <numeric>

using namespace lensor::test;

namespace {

// Compares as the contract says: NaN is the largest.
bool less(double a, double b) { return std::isnan(a) ? false : std::isnan(b) || a < b; }
template <class T> bool less(T a, T b) {
  if constexpr (std::is_same_v<T, float>)
    return less((double)a, (double)b);
  else
    return a < b;
}

// `wide` holds the values of x as something that compares.
template <class T, class W> void check_sort(const lensor_ops& ops, Context* context, std::vector<T> x,
                                            const std::vector<W>& wide, int64_t rows) {
  const int64_t n = (int64_t)x.size() / rows;
  for (const bool descending : {false, true}) {
    std::vector<T> values(x.size()), wanted;
    std::vector<int64_t> indices(x.size()), order;
    const lensor_view xs = view(x, {rows, n}), vs = view(values, {rows, n}), is = view(indices, {rows, n});
    CHECK_EQ(ops.sort(context, &xs, &vs, &is, descending), LENSOR_OK);
    for (int64_t row = 0; row < rows; row++) {
      std::vector<int64_t> here(n);
      std::iota(here.begin(), here.end(), 0);
      const W* w = wide.data() + row * n;
      std::stable_sort(here.begin(), here.end(), [&](int64_t a, int64_t b) {
        return descending ? less(w[b], w[a]) : less(w[a], w[b]);
      });
      for (int64_t i : here) order.push_back(i), wanted.push_back(x[row * n + i]);
    }
    CHECK_SAME(indices, order);
    CHECK_SAME(values, wanted);
  }
}

std::vector<float> ties(int64_t count, uint64_t seed, float range) {
  auto x = noise(count, seed);
  for (float& f : x) f = std::round(f * range) / 4;
  return x;
}

template <class T> void check_whole(const lensor_ops& ops, Context* context) {
  for (int64_t n : {1, 48, 49, 1000}) {
    std::vector<T> x;
    for (float f : noise(2 * n, n)) x.push_back((T)(int64_t)(f * (n < 1000 ? 1e3 : 9e18)));
    x[0] = std::numeric_limits<T>::min(), x[n / 2] = std::numeric_limits<T>::max();
    check_sort(ops, context, x, x, 2);
  }
}

} // namespace

TEST("sort is stable and right for floats of any length") {
  for (int64_t n : {1, 2, 47, 48, 49, 257, 5000})
    for (const float range : {4.0f, 1e6f}) {
      const auto x = ties(3 * n, n, range);
      check_sort(ops, context, x, x, 3);
      const auto half = rounded<f16>(ops, context, x), brain = rounded<bf16>(ops, context, x);
      check_sort(ops, context, cast<f16>(ops, context, x), half, 3);
      check_sort(ops, context, cast<bf16>(ops, context, x), brain, 3);
    }
  const auto x = noise(300'000, 1);
  check_sort(ops, context, x, x, 1);
}

TEST("sort puts NaN of either sign last, and leaves zeros of both signs in their order") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  std::vector<float> few{nan, 0, -0.0f, infinity, -nan, -infinity, 0, -1, 1, -0.0f}, many;
  for (int i = 0; i < 20; i++) many.insert(many.end(), few.begin(), few.end());
  for (const auto& x : {few, many}) {
    check_sort(ops, context, x, x, 1);
    check_sort(ops, context, cast<f16>(ops, context, x), x, 1);
    check_sort(ops, context, cast<bf16>(ops, context, x), x, 1);
  }
}

TEST("sort knows integers up to their ends") {
  check_whole<int8_t>(ops, context);
  check_whole<uint8_t>(ops, context);
  check_whole<int32_t>(ops, context);
  check_whole<int64_t>(ops, context);
}

TEST("sort takes rows of nothing, and stops when interrupted, inside a long row too") {
  std::vector<float> none, x = noise(400'000, 2), values(x.size());
  std::vector<int64_t> indices(x.size());
  const lensor_view nothing = view(none, {3, 0}), is = view(indices, {3, 0});
  CHECK_EQ(ops.sort(context, &nothing, &nothing, &is, 0), LENSOR_OK);
  for (int64_t rows : {1, 400}) {
    const lensor_view xs = view(x, {rows, 400'000 / rows}), vs = view(values, {rows, 400'000 / rows}),
                      all = view(indices, {rows, 400'000 / rows});
    Context stopped(1);
    stopped.interrupt_at = 2;
    CHECK_EQ(ops.sort(&stopped, &xs, &vs, &all, 0), LENSOR_INTERRUPTED);
  }
}
