#include "tolerance.h"
#include "../../native/core/memory.h"
#include "../../native/quant/panel.h"
#include <algorithm>
#include <cstdio>

namespace lensor::test {

namespace {

constexpr const char* kSets[] = {"scalar", "avx2", "avx512", "avx512bf16"};
constexpr int kSetCount = 4;

struct Line {
  const char* work;
  int32_t dtype;
  double allowed[kSetCount]; // in the order of kSets
  double used[kSetCount];
};

// An instruction set that is not listed keeps to the last column.
Line table[] = {
    {"function", LENSOR_F32, {4e-7, 4e-7, 4e-7, 4e-7}, {}},
    {"activation", LENSOR_F32, {2e-6, 2e-6, 2e-6, 2e-6}, {}},
    {"derivative", LENSOR_F32, {2e-6, 2e-6, 2e-6, 2e-6}, {}},
    {"derivative at a kink", LENSOR_F32, {6e-8, 6e-8, 6e-8, 6e-8}, {}},
    {"gate", LENSOR_F32, {4e-7, 4e-7, 4e-7, 4e-7}, {}},
    {"gate's gradient", LENSOR_F32, {2e-6, 2e-6, 2e-6, 2e-6}, {}},
    {"scan", LENSOR_F32, {5e-7, 4e-7, 4e-7, 4e-7}, {}},
    {"sum", LENSOR_F32, {2e-6, 2e-6, 2e-6, 2e-6}, {}},
    {"mean", LENSOR_F32, {2e-8, 2e-8, 2e-8, 2e-8}, {}},
    {"sum of squares", LENSOR_F32, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"softmax", LENSOR_F32, {3e-6, 3e-6, 3e-6, 3e-6}, {}},
    {"log softmax", LENSOR_F32, {3e-7, 3e-7, 3e-7, 3e-7}, {}},
    {"log sum exp", LENSOR_F32, {1e-7, 1e-7, 1e-7, 1e-7}, {}},
    {"softmax of extremes", LENSOR_F32, {5e-9, 5e-9, 5e-9, 5e-9}, {}},
    {"softmax's gradient", LENSOR_F32, {3e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"norm", LENSOR_F32, {7e-7, 8e-7, 8e-7, 8e-7}, {}},
    {"norm's gradient", LENSOR_F32, {4e-7, 4e-7, 4e-7, 4e-7}, {}},
    {"norm's sums", LENSOR_F32, {8e-6, 8e-6, 8e-6, 8e-6}, {}},
    {"decoder's norm", LENSOR_F32, {4e-7, 4e-7, 4e-7, 4e-7}, {}},
    {"rotate", LENSOR_F32, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"matmul", LENSOR_F32, {2e-6, 2e-6, 2e-6, 2e-6}, {}},
    {"product", LENSOR_F32, {2e-6, 2e-6, 2e-6, 2e-6}, {}},
    {"product", LENSOR_BF16, {2e-6, 2e-6, 2e-6, 9e-7}, {}},
    {"product, finished", LENSOR_F32, {3e-7, 3e-7, 3e-7, 3e-7}, {}},
    {"weight, exact", LENSOR_F32, {1e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, exact", LENSOR_F16, {8e-8, 9e-8, 9e-8, 9e-8}, {}},
    {"weight, exact", LENSOR_BF16, {2e-7, 9e-8, 9e-8, 9e-8}, {}},
    {"weight, exact", LENSOR_Q4_0, {8e-8, 8e-8, 8e-8, 8e-8}, {}},
    {"weight, exact", LENSOR_Q4_1, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, exact", LENSOR_Q8_0, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, exact", LENSOR_Q5_0, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, exact", LENSOR_Q5_1, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, exact", LENSOR_Q6_K, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, exact", LENSOR_Q2_K, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, exact", LENSOR_Q3_K, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, exact", LENSOR_Q4_K, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, exact", LENSOR_Q5_K, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, fast", LENSOR_Q4_0, {4e-8, 5e-8, 5e-8, 5e-8}, {}},
    {"weight, fast", LENSOR_Q4_1, {4e-8, 3e-8, 3e-8, 3e-8}, {}},
    {"weight, fast", LENSOR_Q8_0, {2e-8, 2e-8, 2e-8, 2e-8}, {}},
    {"weight, fast", LENSOR_Q5_0, {5e-8, 4e-8, 4e-8, 4e-8}, {}},
    {"weight, fast", LENSOR_Q5_1, {4e-8, 3e-8, 3e-8, 3e-8}, {}},
    {"weight, fast", LENSOR_Q6_K, {4e-8, 5e-8, 5e-8, 5e-8}, {}},
    {"weight, fast", LENSOR_Q2_K, {5e-8, 5e-8, 5e-8, 5e-8}, {}},
    {"weight, fast", LENSOR_Q3_K, {5e-8, 5e-8, 5e-8, 5e-8}, {}},
    {"weight, fast", LENSOR_Q4_K, {5e-8, 5e-8, 5e-8, 5e-8}, {}},
    {"weight, fast", LENSOR_Q5_K, {5e-8, 5e-8, 5e-8, 5e-8}, {}},
    {"weight, exact", LENSOR_MXFP4, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, fast", LENSOR_MXFP4, {5e-8, 5e-8, 5e-8, 5e-8}, {}},
    {"weight, exact", LENSOR_GROUPED, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"weight, fast", LENSOR_GROUPED, {5e-8, 5e-8, 5e-8, 5e-8}, {}},
    {"attention", LENSOR_F32, {2e-6, 2e-6, 2e-6, 2e-6}, {}},
    {"attention", LENSOR_F16, {1e-3, 1e-3, 1e-3, 1e-3}, {}},
    {"attention", LENSOR_BF16, {1e-2, 1e-2, 1e-2, 1e-2}, {}},
    {"attention", LENSOR_I8, {2e-2, 2e-2, 2e-2, 2e-2}, {}},
    {"attention's sums", LENSOR_F32, {3e-7, 3e-7, 3e-7, 3e-7}, {}},
    {"attention map", LENSOR_F32, {2e-6, 2e-6, 2e-6, 2e-6}, {}},
    {"flash", LENSOR_F32, {2e-5, 2e-5, 2e-5, 2e-5}, {}},
    {"flash", LENSOR_BF16, {3e-2, 3e-2, 3e-2, 3e-2}, {}},
    {"layers", LENSOR_F32, {1e-4, 1e-4, 1e-4, 1e-4}, {}},
    {"loss, sums", LENSOR_F32, {1e-7, 1e-7, 1e-7, 1e-7}, {}},
    {"loss", LENSOR_F32, {2e-7, 2e-7, 2e-7, 2e-7}, {}},
    {"loss's gradient", LENSOR_F32, {3e-6, 3e-6, 3e-6, 3e-6}, {}},
    {"optimizer", LENSOR_F32, {7e-7, 7e-7, 7e-7, 7e-7}, {}},
    {"optimizer in 8 bits", LENSOR_F32, {3e-7, 3e-7, 3e-7, 3e-7}, {}},
    {"Cholesky", LENSOR_F32, {4e-7, 4e-7, 4e-7, 4e-7}, {}},
    {"triangular system", LENSOR_F32, {3e-7, 3e-7, 3e-7, 3e-7}, {}},
    {"eigenvectors", LENSOR_F32, {1e-7, 1e-7, 1e-7, 1e-7}, {}},
    {"sparse sweep", LENSOR_F32, {1e-6, 1e-6, 1e-6, 1e-6}, {}},
    {"matching", LENSOR_F32, {2e-6, 2e-6, 2e-6, 2e-6}, {}},
};

} // namespace

bool Tolerance::holds(double found, double wanted) const {
  if (!near(found, wanted, allowed_)) return false;
  if (std::isfinite(found) && found != wanted)
    *used_ = std::max(*used_, std::abs(found - wanted) / (allowed_ * std::max(1.0, std::abs(wanted))));
  return true;
}

Tolerance tolerance(const lensor_ops& ops, std::string_view work, int32_t dtype) {
  if (is_grouped(dtype)) dtype = LENSOR_GROUPED; // one line for all of them
  int set = 0;
  while (set + 1 < kSetCount && std::string_view(kSets[set]) != ops.name) set++;
  for (Line& line : table)
    if (line.work == work && line.dtype == dtype) return {line.allowed[set], &line.used[set]};
  fail(__FILE__, __LINE__, "no tolerance for " + std::string(work) + " in " + dtype_name(dtype));
  static double nowhere;
  return {0, &nowhere};
}

void print_tolerances() {
  std::printf("%-24s %-5s", "allowed, used of it", "");
  for (const char* set : kSets) std::printf(" %15s", set);
  for (const Line& line : table) {
    std::printf("\n%-24s %-5s", line.work, dtype_name(line.dtype));
    for (int set = 0; set < kSetCount; set++)
      std::printf("  %8.1e %3.0f%%", line.allowed[set], 100 * line.used[set]);
  }
  std::printf("\n");
}

} // namespace lensor::test
