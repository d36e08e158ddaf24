#include "probe.h"
#include "memory.h"
#include <algorithm>
#include <cstring>
#include <unistd.h>

namespace lensor {

namespace {

constexpr size_t kSlice = 8u << 20;

// Four times the last cache, so that a slice has left it when its turn comes again.
size_t beyond_caches() {
#if defined(_SC_LEVEL3_CACHE_SIZE)
  const long last = sysconf(_SC_LEVEL3_CACHE_SIZE);
#else
  const long last = 0;
#endif
  const size_t wanted = last > 0 ? 4 * static_cast<size_t>(last) : size_t{128} << 20;
  return std::clamp(wanted, size_t{64} << 20, size_t{512} << 20) / kSlice * kSlice;
}

} // namespace

double probe_compute(lensor_context* context, const lensor_ops* ops, int32_t dtype, double seconds) {
  return ops->probe_fma(context, dtype, seconds);
}

double probe_memory(lensor_context* context, const lensor_ops* ops, double seconds) {
  // Kept for the life of the process: writing it takes longer than a reading that lasts milliseconds.
  static const Block memory = [] {
    Block block(beyond_caches());
    std::memset(block.data(), 1, block.bytes());
    return block;
  }();
  static size_t at = 0;
  double spent = 0, bytes = 0;
  do {
    spent += kSlice / ops->probe_read(context, memory.as<char>() + at, kSlice);
    bytes += kSlice;
    at = (at + kSlice) % memory.bytes();
  } while (spent < seconds && !context->interrupted(context));
  return bytes / spent;
}

} // namespace lensor
