// The threads that kernels run on, and the context that a kernel sees. One region at a time, begun by one
// thread (the executor's), which works too. Workers spin for some microseconds between regions, then sleep.
#pragma once
#include "../include/lensor_abi.h"
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace lensor {

class Pool {
public:
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;

  lensor_context* context() { return &context_; }
  int threads() const { return context_.threads; }
  // [0] is not zero while the person wants the work to stop; null: nobody can.
  void watch(const std::atomic<int32_t>* flag) { flag_.store(flag); }
  // Forgets a flag whose memory ends, if it is the one that is watched.
  void unwatch(const std::atomic<int32_t>* flag) { flag_.compare_exchange_strong(flag, nullptr); }
  bool interrupted() const {
    const auto* flag = flag_.load();
    return flag && flag->load(std::memory_order_relaxed) != 0;
  }
  // A task begins. Once one of its kernels has seen an interrupt and left work out, every later look during
  // the task sees it too, even where the flag has been taken back since: what is incomplete must not pass.
  void begin_task() { seen_.store(false, std::memory_order_relaxed); }

private:
  void parallel(int64_t items, int64_t grain, lensor_body body, void* arg);
  void together(lensor_body body, void* arg);
  void open();
  void close();
  void work(int thread);
  void chunks(int thread);

  lensor_context context_;
  std::atomic<const std::atomic<int32_t>*> flag_{nullptr};
  std::atomic<bool> seen_{false};
  std::vector<std::thread> workers_;

  // The region under way. Written only while the region is closed and no worker is inside.
  lensor_body body_ = nullptr;
  void* arg_ = nullptr;
  int64_t items_ = 0, grain_ = 1;
  uint64_t together_ = 0, rounds_ = 0; // the number of a region that every thread runs once, else 0
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
  alignas(64) std::atomic<int32_t> inside_{0};
  std::atomic<int32_t> finished_{0}; // workers that have run their part of such a region
  std::atomic<bool> open_{false};
  std::atomic<int32_t> asleep_{0};
  std::atomic<bool> ending_{false};
};

} // namespace lensor
