#include "probe.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace lensor {

namespace {

constexpr size_t kHugePage = 2u << 20;
constexpr size_t kSlice = 8u << 20;

// Four times the last cache, so that a slice has left it when its turn comes again.
size_t beyond_caches() {
#if defined(_SC_LEVEL3_CACHE_SIZE)
  const long last = sysconf(_SC_LEVEL3_CACHE_SIZE);
#else
  const long last = 0;
#endif
  const size_t wanted = last > 0 ? 4 * static_cast<size_t>(last) : size_t{128} << 20;
  return std::clamp(wanted, size_t{64} << 20, size_t{256} << 20) / kSlice * kSlice;
}

// That is read. Not counted as lensor's memory: nobody asked for it, and it would be the peak.
std::unique_ptr<char, decltype(&std::free)> memory{nullptr, &std::free};
size_t memory_bytes = 0;

} // namespace

void probe_release() { memory.reset(); }

double probe_compute(lensor_context* context, const lensor_ops* ops, int32_t dtype, double seconds) {
  return ops->probe_fma(context, dtype, seconds);
}

double probe_memory(lensor_context* context, const lensor_ops* ops, double seconds) {
  if (!memory) {
    memory_bytes = beyond_caches();
    memory.reset(static_cast<char*>(std::aligned_alloc(kHugePage, memory_bytes)));
    if (!memory) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    // As weights lie: on small pages a machine under another reads half as fast.
    madvise(memory.get(), memory_bytes, MADV_HUGEPAGE);
#endif
    std::memset(memory.get(), 1, memory_bytes);
  }
  static size_t at = 0;
  double spent = 0, bytes = 0;
  do {
    spent += kSlice / ops->probe_read(context, memory.get() + at, kSlice);
    bytes += kSlice;
    at = (at + kSlice) % memory_bytes;
  } while (spent < seconds && !context->interrupted(context));
  return bytes / spent;
}

} // namespace lensor
