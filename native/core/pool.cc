#include "pool.h"
#include "memory.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lensor {

namespace {

constexpr int kSpins = 10000; // some 150 microseconds: longer than what lies between two tokens

inline void rest() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <typename F> void wait(const F& done) {
  for (int spins = 0; !done(); spins++) {
    if (spins < kSpins)
      rest();
    else
      std::this_thread::yield();
  }
}

} // namespace

Pool::Pool(int threads) {
  context_.self = this;
  context_.threads = threads < 1 ? 1 : threads;
  context_.interrupted = [](lensor_context* c) -> int {
    Pool* pool = static_cast<Pool*>(c->self);
    if (pool->interrupted()) pool->seen_.store(true, std::memory_order_relaxed);
    return pool->seen_.load(std::memory_order_relaxed);
  };
  context_.parallel = [](lensor_context* c, int64_t items, int64_t grain, lensor_body body, void* arg) {
    static_cast<Pool*>(c->self)->parallel(items, grain, body, arg);
  };
  context_.together = [](lensor_context* c, lensor_body body, void* arg) {
    static_cast<Pool*>(c->self)->together(body, arg);
  };
  context_.take = [](lensor_context*, size_t bytes) -> void* {
    try {
      return memory_take(bytes, memory_owner());
    } catch (const OutOfMemory&) {
      return nullptr;
    }
  };
  context_.give = [](lensor_context*, void* data, size_t bytes) { memory_give(data, bytes, memory_owner()); };
  for (int t = 1; t < context_.threads; t++) workers_.emplace_back([this, t] { work(t); });
}

Pool::~Pool() {
  ending_ = true;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Pool::parallel(int64_t items, int64_t grain, lensor_body body, void* arg) {
  if (items <= 0) return;
  if (grain < 1) grain = 1;
  if (workers_.empty() || items <= grain) return body(arg, 0, items, 0);
  body_ = body, arg_ = arg, items_ = items, grain_ = grain, together_ = 0;
  next_.store(0, std::memory_order_relaxed);
  open();
  chunks(0);
  close();
}

void Pool::together(lensor_body body, void* arg) {
  if (workers_.empty()) return body(arg, 0, 1, 0);
  body_ = body, arg_ = arg, together_ = ++rounds_;
  finished_.store(0);
  open();
  body(arg, 0, 1, 0);
  // Open until every worker has come, unlike a region whose items others may have taken.
  wait([this] { return finished_.load() == static_cast<int32_t>(workers_.size()); });
  close();
}

void Pool::open() {
  open_.store(true);
  generation_.fetch_add(1);
  if (asleep_.load() > 0) generation_.notify_all();
}

void Pool::close() {
  // Closed first, then waited for: a worker that comes late finds the door shut (see work).
  open_.store(false);
  wait([this] { return inside_.load() == 0; });
}

void Pool::chunks(int thread) {
  for (;;) {
    int64_t begin = next_.fetch_add(grain_, std::memory_order_relaxed);
    if (begin >= items_) return;
    body_(arg_, begin, begin + grain_ < items_ ? begin + grain_ : items_, thread);
  }
}

void Pool::work(int thread) {
  uint32_t seen = 0;
  uint64_t round = 0;
  while (!ending_.load(std::memory_order_relaxed)) {
    for (int spins = 0; generation_.load() == seen && spins < kSpins; spins++) rest();
    if (generation_.load() == seen) {
      asleep_.fetch_add(1);
      generation_.wait(seen);
      asleep_.fetch_sub(1);
    }
    seen = generation_.load();
    // Either this thread sees the region closed, or the one that closes it sees this thread inside.
    inside_.fetch_add(1);
    if (open_.load()) {
      if (together_ == 0) {
        chunks(thread);
      } else if (together_ != round) {
        // A region may be met twice, by its generation and by the one before.
        round = together_;
        body_(arg_, thread, thread + 1, thread);
        finished_.fetch_add(1);
      }
    }
    inside_.fetch_sub(1);
  }
}

} // namespace lensor
