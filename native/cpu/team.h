// The threads of one long region, which go through its steps together: each step's items are taken by whoever
// is free, and at its end all wait for the last. They spin, since a step of decoding is microseconds long.
// What is decided at a meeting (to go on, or to leave after an interrupt) is the same for all.
#pragma once
#include "kernels.h"
#include <sched.h>

namespace lensor::LENSOR_ISA {

constexpr int32_t kRanges = 16; // more threads share them

struct Team {
  lensor_context* context;
  int32_t threads;
  int32_t stopped;          // somebody saw an interrupt, or had no memory
  int32_t leave;            // what the last meeting decided; written while all others wait
  alignas(64) int64_t next; // of the step's items, where they are taken in one order (flash_order.h)
  // Of the step's items, cut into ranges: how many of each are taken.
  struct alignas(64) Taken {
    int64_t count;
  } taken[kRanges];
  alignas(64) int32_t arrived;
  alignas(64) uint32_t meetings;
};

LENSOR_INLINE void pause_briefly(int spins) {
  // A thread that the system has put aside cannot come while this one holds its core.
  if (spins > 1000) {
    sched_yield();
    return;
  }
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

LENSOR_INLINE void stop(Team* team) { __atomic_store_n(&team->stopped, 1, __ATOMIC_RELAXED); }
LENSOR_INLINE bool stopping(Team* team) {
  if (__atomic_load_n(&team->stopped, __ATOMIC_RELAXED)) return true;
  if (!team->context->interrupted(team->context)) return false;
  stop(team);
  return true;
}

LENSOR_INLINE int32_t ranges_of(const Team* team) {
  return team->threads < kRanges ? team->threads : kRanges;
}

// Waits until all threads are here; true where they are to leave.
LENSOR_INLINE bool meet(Team* team) {
  const uint32_t now = __atomic_load_n(&team->meetings, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&team->arrived, 1, __ATOMIC_ACQ_REL) == team->threads) {
    team->leave = __atomic_load_n(&team->stopped, __ATOMIC_RELAXED);
    __atomic_store_n(&team->next, 0, __ATOMIC_RELAXED);
    for (int32_t r = 0; r < ranges_of(team); r++)
      __atomic_store_n(&team->taken[r].count, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&team->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&team->meetings, now + 1, __ATOMIC_RELEASE);
  } else {
    for (int spins = 0; __atomic_load_n(&team->meetings, __ATOMIC_ACQUIRE) == now; spins++)
      pause_briefly(spins);
  }
  return team->leave != 0;
}

// f(i) for the items that fall to this thread: those of a range of its own in order, since memory is read
// fastest on and on; then single ones that others have not come to, so that all end together.
template <class F> LENSOR_INLINE void share(Team* team, int32_t thread, int64_t items, const F& f) {
  const int32_t ranges = ranges_of(team);
  for (int32_t other = 0; other < ranges; other++) {
    const int32_t r = (thread + other) % ranges;
    const int64_t first = items * r / ranges, count = items * (r + 1) / ranges - first;
    int64_t* taken = &team->taken[r].count;
    int64_t begin = __atomic_load_n(taken, __ATOMIC_RELAXED);
    while (begin < count) {
      const int64_t part = other ? 1 : (count - begin + 1) / 2;
      if (!__atomic_compare_exchange_n(taken, &begin, begin + part, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED))
        continue;
      for (int64_t i = begin; i < begin + part; i++) {
        if (stopping(team)) return;
        f(first + i);
      }
      begin = __atomic_load_n(taken, __ATOMIC_RELAXED);
    }
  }
}

} // namespace lensor::LENSOR_ISA
