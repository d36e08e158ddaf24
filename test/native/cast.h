// Vectors of one dtype as vectors of another, by the back end's own copy, so that a test of a 16-bit kernel
// can say: the result is that of its rounded inputs, rounded once. Relies on copy.cc's own tests.
#pragma once
#include "check.h"

namespace lensor::test {

template <class To, class From>
std::vector<To> cast(const lensor_ops& ops, Context* context, std::vector<From> from) {
  std::vector<To> to(from.size());
  const int64_t n = static_cast<int64_t>(from.size());
  const lensor_view x = view(from, {n}), y = view(to, {n});
  CHECK_EQ(ops.copy(context, &x, &y), LENSOR_OK);
  return to;
}

// x as T can hold it.
template <class T>
std::vector<float> rounded(const lensor_ops& ops, Context* context, const std::vector<float>& x) {
  return cast<float>(ops, context, cast<T>(ops, context, x));
}

} // namespace lensor::test
