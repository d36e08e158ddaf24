#include "memory.h"
#include "budget.h"
#include "pages.h"
#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <time.h>
#include <unordered_map>

namespace lensor {

namespace {

// What is freed is often wanted again in the next operation, and fresh pages cost a fault each. Kept: an
// eighth of the budget, within these; and, beyond the least, no more than lets the process grow over the most
// that was ever live.
constexpr size_t kKeepLeast = 48u << 20, kKeepMost = size_t{2} << 30;
constexpr size_t kPoints = 4096;
constexpr double kFirstInterval = 0.004; // that of the coarse clock

double now() {
  timespec t;
#if defined(CLOCK_MONOTONIC_COARSE)
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
#else
  clock_gettime(CLOCK_MONOTONIC, &t);
#endif
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// ---------------------------------------------------------------- state
// A freed block is its own entry in two lists: of its class, and of all by age.
struct Kept {
  Kept *newer, *older; // by age
  Kept *above, *below; // in its class
  Class size;
};

// From here on a block is worth a name in an error.
constexpr size_t kLargeLeast = 1u << 20;

struct Point {
  double begin;
  size_t live;
  std::array<size_t, kKinds> kinds;
};

struct State {
  std::mutex mutex;
  size_t live = 0, kept = 0, peak = 0, marked = 0, budget = 0;
  std::array<size_t, kKinds> kinds{};
  std::array<Kept*, kClasses> top{};
  Kept *newest = nullptr, *oldest = nullptr;

  std::unordered_map<uint64_t, MemoryHolder> holders;
  MemoryHolder* last = nullptr; // the one booked on before
  std::unordered_map<const void*, LargeBlock> large;

  std::vector<Point> points; // the last one is under way
  double interval = kFirstInterval;

  State() {
    const char* text = std::getenv("LENSOR_MEMORY");
    budget = text && *text ? parse_memory(text) : by_default();
    points.reserve(kPoints);
  }

  size_t by_default() const {
    const size_t free = available_memory();
    return free ? (free + live + kept) / 10 * 9 : SIZE_MAX / 8;
  }
  size_t keep_most() const { return std::clamp(budget / 8, std::min(kKeepLeast, budget / 2), kKeepMost); }

  MemoryHolder& holder(Owner owner) {
    if (last && last->owner.cell == owner.cell && last->owner.kind == owner.kind) return *last;
    const auto key =
        static_cast<uint64_t>(static_cast<uint32_t>(owner.cell)) << 8 | static_cast<uint64_t>(owner.kind);
    // Cells that hold nothing any more are forgotten, now and then.
    if (holders.size() > 4096) {
      last = nullptr;
      std::erase_if(holders, [](const auto& one) { return one.second.blocks == 0; });
    }
    last = &holders.try_emplace(key, MemoryHolder{owner, 0, 0, 0}).first->second;
    return *last;
  }

  void book(Owner owner, size_t size) {
    MemoryHolder& one = holder(owner);
    one.live += size, one.blocks++;
    one.peak = std::max(one.peak, one.live);
    live += size;
    peak = std::max(peak, live);
    marked = std::max(marked, live);
    kinds[static_cast<size_t>(owner.kind)] += size;
    note();
  }
  void unbook(Owner owner, size_t size) {
    MemoryHolder& one = holder(owner);
    one.live -= size, one.blocks--;
    live -= size;
    kinds[static_cast<size_t>(owner.kind)] -= size;
    note();
  }

  void know(const void* data, size_t size, Owner owner, const Label* label) {
    if (size >= kLargeLeast && label)
      large.insert_or_assign(data, LargeBlock{owner, size, label->text(), {}, label->number});
  }

  // The timeline: when it is full, neighbours become one and the interval doubles.
  void note() {
    const double t = now();
    if (points.empty() || t >= points.back().begin + interval) {
      if (points.size() == kPoints) {
        for (size_t i = 0; i < kPoints / 2; i++) {
          const Point &a = points[2 * i], &b = points[2 * i + 1];
          points[i] = b.live > a.live ? b : a;
          points[i].begin = a.begin;
        }
        points.resize(kPoints / 2);
        interval *= 2;
      }
      points.push_back({t, live, kinds});
    } else if (live > points.back().live) {
      points.back().live = live, points.back().kinds = kinds;
    }
  }

  void unlink(Kept* block) {
    (block->newer ? block->newer->older : newest) = block->older;
    (block->older ? block->older->newer : oldest) = block->newer;
    (block->above ? block->above->below : top[block->size.number]) = block->below;
    if (block->below) block->below->above = block->above;
    kept -= block->size.bytes;
  }
  void keep(void* data, Class size) {
    auto* block = new (data) Kept{nullptr, newest, nullptr, top[size.number], size};
    (newest ? newest->newer : oldest) = block;
    if (block->below) block->below->above = block;
    newest = top[size.number] = block;
    kept += size.bytes;
  }
  // Gives back, oldest first, until at most so much is kept.
  void keep_at_most(size_t bytes) {
    while (kept > bytes) {
      Kept* block = oldest;
      const size_t size = block->size.bytes;
      unlink(block);
      system_give(block, size);
    }
  }
};
static_assert(sizeof(Kept) <= 64);

// Never destroyed: threads may still free when the process ends.
State& state() {
  static State* one = new State;
  return *one;
}

thread_local Kind current_kind = Kind::tensor;
thread_local int32_t current_cell = 0; // where no word is watched, and in a task
thread_local const std::atomic<int32_t>* cell_word = nullptr;

} // namespace

Owner memory_owner() {
  return {cell_word ? cell_word->load(std::memory_order_relaxed) : current_cell, current_kind};
}
void watch_cell(const std::atomic<int32_t>* word) { cell_word = word; }

OwnerScope::OwnerScope(Kind kind) : kind_(current_kind), cell_(current_cell) { current_kind = kind; }
OwnerScope::OwnerScope(Owner owner) : kind_(current_kind), cell_(current_cell) {
  current_kind = owner.kind, current_cell = owner.cell;
}
OwnerScope::~OwnerScope() { current_kind = kind_, current_cell = cell_; }

void* memory_take(size_t bytes, Owner owner, const Label* label) {
  const size_t size = rounded(bytes);
  const Class wanted = class_of(size);
  State& s = state();
  std::unique_lock lock(s.mutex);
  if (Kept* block = s.top[wanted.number]) {
    s.unlink(block);
    s.book(owner, size);
    s.know(block, size, owner, label);
    return block;
  }
  // What is kept goes first: all that the budget needs, else as much as the system does.
  if (size > s.budget || s.live > s.budget - size) {
    lock.unlock();
    throw OutOfMemory(bytes, owner, label);
  }
  const size_t most = std::max(s.peak, s.live + size + kKeepLeast);
  s.keep_at_most(std::min(s.budget, most) - size - s.live);
  // Booked first: another thread must not take what this one is about to.
  s.book(owner, size);
  lock.unlock();
  void* data = system_take(wanted.bytes);
  if (!data) {
    memory_trim();
    data = system_take(wanted.bytes);
  }
  if (data && size < kLargeLeast) return data;
  lock.lock();
  if (data)
    s.know(data, size, owner, label);
  else
    s.unbook(owner, size);
  lock.unlock();
  if (!data) throw OutOfMemory(bytes, owner, label);
  return data;
}

Reservation::Reservation(size_t bytes, Owner owner, const Label* label)
    : bytes_(rounded(bytes)), owner_(owner) {
  State& s = state();
  std::unique_lock lock(s.mutex);
  if (bytes_ > s.budget || s.live > s.budget - bytes_) {
    lock.unlock();
    throw OutOfMemory(bytes, owner, label);
  }
  s.keep_at_most(s.budget - bytes_ - s.live);
  s.book(owner, bytes_);
}

Reservation::~Reservation() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.unbook(owner_, bytes_);
}

void memory_give(void* data, size_t bytes, Owner owner) {
  const size_t size = rounded(bytes);
  const Class held = class_of(size);
  State& s = state();
  {
    std::lock_guard lock(s.mutex);
    s.unbook(owner, size);
    if (size >= kLargeLeast) s.large.erase(data);
    const size_t room = s.budget - std::min(s.budget, s.live), most = std::min(s.keep_most(), room);
    // A cache's pages are seldom wanted again soon, and who made it smaller wants to see that.
    if (held.bytes <= most && owner.kind != Kind::cache) {
      s.keep_at_most(most - held.bytes);
      s.keep(data, held);
      return;
    }
  }
  system_give(data, held.bytes);
}

MemoryUse memory_use() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return {s.live, s.kept, s.peak, s.marked, s.budget};
}

void memory_mark() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.marked = s.live;
}

std::vector<MemoryHolder> memory_holders() {
  std::vector<MemoryHolder> list;
  State& s = state();
  {
    std::lock_guard lock(s.mutex);
    for (const auto& [key, one] : s.holders)
      if (one.blocks) list.push_back(one);
  }
  std::sort(list.begin(), list.end(), [](const MemoryHolder& a, const MemoryHolder& b) {
    return a.live != b.live               ? a.live > b.live
           : a.owner.cell != b.owner.cell ? a.owner.cell < b.owner.cell
                                          : a.owner.kind < b.owner.kind;
  });
  return list;
}

std::vector<MemoryPoint> memory_timeline() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  std::vector<MemoryPoint> list;
  const double t = now();
  for (const Point& point : s.points) list.push_back({t - point.begin, point.live, point.kinds});
  return list;
}

void memory_limit(size_t bytes) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.budget = bytes ? bytes : s.by_default();
  s.keep_at_most(std::min(s.keep_most(), s.budget - std::min(s.budget, s.live)));
}

void memory_trim() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.keep_at_most(0);
}

void memory_return() {
  memory_trim();
  system_return();
}

void memory_name(const void* data, std::string name) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  if (const auto found = s.large.find(data); found != s.large.end()) found->second.name = std::move(name);
}

std::optional<LargeBlock> memory_largest(Owner owner) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  const LargeBlock* most = nullptr;
  for (const auto& [data, one] : s.large)
    if (one.owner.cell == owner.cell && one.owner.kind == owner.kind && (!most || one.size > most->size))
      most = &one;
  return most ? std::optional(*most) : std::nullopt;
}

} // namespace lensor
