// Kernels for texts, which stay in the CPU's memory: beside the ABI's table, which is of what every back end
// offers. One set for each instruction set, as there.
#pragma once
#include <stdint.h>

namespace lensor {

struct TextKernels {
  // out[k] = min over the n numbers of ((a[k] number + b[k]) mod 2^64) mod (2^61 - 1); all ones for n = 0.
  void (*minhash)(const uint64_t* numbers, int64_t n, const uint64_t* a, const uint64_t* b, int64_t functions,
                  uint64_t* out);
};

} // namespace lensor
