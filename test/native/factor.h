// What the sweeps of GPTQ and SparseGPT take in the place of H^-1's factor.
#pragma once
#include "tolerance.h"
#include <cmath>
#include <limits>
#include <vector>

namespace lensor::test {

// Upper, with a positive diagonal; what stands below must not be read.
inline std::vector<float> factor(int64_t n) {
  auto u = noise(n * n, 11);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++)
      u[i * n + j] = j < i    ? std::numeric_limits<float>::quiet_NaN()
                     : j == i ? 1 + std::abs(u[i * n + j])
                              : u[i * n + j] / (float)n;
  return u;
}

} // namespace lensor::test
