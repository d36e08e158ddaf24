// The harness of the kernels' unit tests: a registry, checks that report and go on, contexts to run kernels
// in, and views on vectors. Relies on the ABI alone. A test runs once for each instruction set of the
// machine, serial and threaded.
//
//   TEST("relu keeps NaN") {
//     std::vector<float> x{-1, 2}, out(2);
//     auto [from, to] = std::pair(view(x, {2}), view(out, {2}));
//     CHECK_EQ(ops.unary(context, LENSOR_RELU, &from, &to), LENSOR_OK);
//     CHECK_NEAR(out[1], 2, 0);
//   }
#pragma once
#include "../../native/include/lensor_abi.h"
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace lensor::test {

// Bits of the 16-bit floats, so that vectors of them have a dtype.
struct f16 {
  uint16_t bits;
};
struct bf16 {
  uint16_t bits;
};

template <class T> constexpr int32_t dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return LENSOR_F32;
  else if constexpr (std::is_same_v<T, f16>)
    return LENSOR_F16;
  else if constexpr (std::is_same_v<T, bf16>)
    return LENSOR_BF16;
  else if constexpr (std::is_same_v<T, int8_t>)
    return LENSOR_I8;
  else if constexpr (std::is_same_v<T, uint8_t>)
    return LENSOR_U8;
  else if constexpr (std::is_same_v<T, int32_t>)
    return LENSOR_I32;
  else {
    static_assert(std::is_same_v<T, int64_t>,
                  "a view is on float, f16, bf16 or an integer; for bool set dtype");
    return LENSOR_I64;
  }
}

// A row-major view on all of `data`, or one with strides (in elements) of its own.
template <class T>
lensor_view view(std::vector<T>& data, std::vector<int64_t> shape, std::vector<int64_t> stride = {}) {
  lensor_view v{};
  v.data = data.data();
  v.rank = static_cast<int32_t>(shape.size());
  v.dtype = dtype_of<T>();
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0; step *= shape[i]) {
    v.shape[i] = shape[i];
    v.stride[i] = stride.empty() ? step : stride[i];
  }
  return v;
}

// A context whose `parallel` really runs on that many threads (1: in order, on the caller's).
struct Context : lensor_context {
  explicit Context(int32_t threads);
  // From the n-th poll on, counted over all threads, `interrupted` says yes; -1: never.
  int64_t interrupt_at = -1;
  int64_t polls = 0;
  // Bytes of scratch memory, over all calls.
  int64_t taken = 0, given = 0;
};

using Body = void (*)(const lensor_ops& ops, Context* context);
// Registers a test; called by TEST.
struct Test {
  Test(const char* name, Body body);
};
// Tells of one failed check; called by the CHECK macros.
void fail(const char* file, int line, const std::string& what);

// |found - wanted| <= relative * max(1, |wanted|), and equal where not finite.
bool near(double found, double wanted, double relative);

// Numbers that look random and are the same everywhere: uniform in [-1, 1).
std::vector<float> noise(size_t count, uint64_t seed);

template <class A, class B>
void check_equal(const char* file, int line, const char* text, const A& a, const B& b) {
  if (a == b) return;
  std::ostringstream out;
  out << text << ": " << +a << " and " << +b;
  fail(file, line, out.str());
}

inline void check_near(const char* file, int line, const char* text, double found, double wanted,
                       double relative) {
  if (near(found, wanted, relative)) return;
  std::ostringstream out;
  out.precision(9);
  out << text << " is " << found << ", expected " << wanted << " within " << relative;
  fail(file, line, out.str());
}

template <class T> void check_same_bits(const char* file, int line, const char* text, const std::vector<T>& a,
                                        const std::vector<T>& b) {
  if (a.size() != b.size()) return fail(file, line, std::string(text) + ": their lengths differ");
  for (size_t i = 0; i < a.size(); i++)
    if (std::memcmp(&a[i], &b[i], sizeof(T)))
      return fail(file, line, std::string(text) + ": bits differ at " + std::to_string(i));
}

} // namespace lensor::test

#define LENSOR_JOIN_(a, b) a##b
#define LENSOR_JOIN(a, b) LENSOR_JOIN_(a, b)
#define TEST(name)                                                                                           \
  static void LENSOR_JOIN(test_, __LINE__)(const lensor_ops& ops, lensor::test::Context* context);           \
  static const lensor::test::Test LENSOR_JOIN(registered_, __LINE__)(name, LENSOR_JOIN(test_, __LINE__));    \
  static void LENSOR_JOIN(test_, __LINE__)([[maybe_unused]] const lensor_ops& ops,                           \
                                           [[maybe_unused]] lensor::test::Context* context)
#define CHECK(condition)                                                                                     \
  do {                                                                                                       \
    if (!(condition)) lensor::test::fail(__FILE__, __LINE__, #condition " does not hold");                   \
  } while (0)
#define CHECK_EQ(a, b) lensor::test::check_equal(__FILE__, __LINE__, #a " == " #b, a, b)
#define CHECK_NEAR(found, wanted, relative)                                                                  \
  lensor::test::check_near(__FILE__, __LINE__, #found, found, wanted, relative)
// Two vectors are the same bit for bit.
#define CHECK_SAME(a, b) lensor::test::check_same_bits(__FILE__, __LINE__, #a " is " #b, a, b)
