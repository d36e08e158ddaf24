// The probes: a rate that is a number, within the time asked for, nothing where there is no instruction, and
// an end when interrupted.
#include "check.h"
#include <chrono>

using namespace lensor::test;

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace

TEST("probe: multiply-adds in registers") {
  const std::string isa = ops.name;
  for (const int32_t dtype : {LENSOR_F32, LENSOR_BF16, LENSOR_I8}) {
    const bool there = dtype == LENSOR_F32 || (dtype == LENSOR_I8 && isa.starts_with("avx512")) ||
                       (dtype == LENSOR_BF16 && isa == "avx512bf16");
    const double rate = ops.probe_fma(context, dtype, 0.002);
    // From the slowest machine anybody has to a hundred teraflops.
    CHECK_EQ(there ? rate > 1e7 && rate < 1e14 : rate == 0, true);
  }
}

TEST("probe: reading memory") {
  std::vector<float> data(1 << 20, 1);
  const double rate = ops.probe_read(context, data.data(), data.size() * sizeof(float));
  CHECK_EQ(rate > 1e7 && rate < 1e13, true);
}

TEST("probe: ends when interrupted") {
  context->interrupt_at = 0;
  const auto begin = std::chrono::steady_clock::now();
  ops.probe_fma(context, LENSOR_F32, 60);
  CHECK_EQ(seconds_since(begin) < 30, true);
}
