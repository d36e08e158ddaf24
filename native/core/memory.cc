#include "memory.h"
#include <cstdlib>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

namespace lensor {

namespace {

// What is freed is often wanted again in the next operation, and fresh pages cost a fault for every 4 KiB.
// More than this is given back to the system.
constexpr size_t kKeepMost = 48u << 20;

struct State {
  std::mutex mutex;
  std::unordered_map<size_t, std::vector<void*>> kept;
  size_t live = 0, kept_bytes = 0;
};

// Never destroyed: threads may still free when the process ends.
State& state() {
  static State* one = new State;
  return *one;
}

size_t rounded(size_t bytes) {
  size_t step = bytes < 4096 ? 64 : 4096;
  if (bytes > SIZE_MAX - step) throw std::bad_alloc();
  return bytes == 0 ? 64 : (bytes + step - 1) / step * step;
}

} // namespace

void* memory_take(size_t bytes) {
  size_t size = rounded(bytes);
  State& s = state();
  {
    std::lock_guard lock(s.mutex);
    s.live += size;
    auto found = s.kept.find(size);
    if (found != s.kept.end() && !found->second.empty()) {
      void* data = found->second.back();
      found->second.pop_back();
      s.kept_bytes -= size;
      return data;
    }
  }
  void* data = std::aligned_alloc(64, size);
  if (data) return data;
  std::lock_guard lock(s.mutex);
  s.live -= size;
  throw std::bad_alloc();
}

void memory_give(void* data, size_t bytes) {
  size_t size = rounded(bytes);
  State& s = state();
  {
    std::lock_guard lock(s.mutex);
    s.live -= size;
    if (s.kept_bytes + size <= kKeepMost) {
      s.kept[size].push_back(data);
      s.kept_bytes += size;
      return;
    }
  }
  std::free(data);
}

MemoryUse memory_use() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return {s.live, s.kept_bytes};
}

} // namespace lensor
