// Where tensors, key-value pages and weights get their memory: counted by who asked and what for, 64-byte
// aligned, kept for reuse within bounds, and never more than the budget. Safe from any thread. Throws
// OutOfMemory; never overcommits by itself.
#pragma once
#include "../include/lensor_abi.h"
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lensor {

enum class Kind : int32_t { tensor, gradient, optimizer, weights, cache, scratch };
constexpr size_t kKinds = 6;

// Who holds memory: the cell (its run's number, 0 outside a notebook) and what for.
struct Owner {
  int32_t cell;
  Kind kind;
};

// What this thread's requests are booked on. `watch_cell`: the word that says which cell is under way here.
Owner memory_owner();
void watch_cell(const std::atomic<int32_t>* word);

// For as long as it lives, this thread's requests are for `kind`, and where given for another's cell.
class OwnerScope {
public:
  explicit OwnerScope(Kind kind);
  explicit OwnerScope(Owner owner);
  ~OwnerScope();
  OwnerScope(const OwnerScope&) = delete;

private:
  const Kind kind_;
  const int32_t cell_;
};

// "f32", "q4_0"
const char* dtype_name(int32_t dtype);

// What a block will hold, for those who must say so.
struct Label {
  std::string_view maker;                // the operation whose result it is
  int32_t dtype = LENSOR_F32, rank = -1; // -1: no tensor
  std::array<int64_t, LENSOR_MAX_RANK> shape{};
  uint64_t number = 0; // of the buffer, 0: none

  std::string text() const; // "matmul [64, 64] f32"
};

struct OutOfMemory : std::bad_alloc {
  // Looks at who holds what now: by the time it is caught, what failed may have given back its own.
  OutOfMemory(size_t wanted, Owner owner, const Label* label);
  const char* what() const noexcept override { return told.c_str(); }
  const size_t wanted;
  const std::string maker; // of what was wanted, where it is known
  const std::string told;  // "out of memory. Its result [64, 64] f32 needed ..."
};

struct MemoryUse {
  size_t live;   // in use
  size_t kept;   // freed and kept for the next request of the size
  size_t peak;   // the most that was ever live
  size_t marked; // the most that was live since memory_mark()
  size_t budget; // live and kept together stay below
};
struct MemoryHolder {
  Owner owner;
  size_t live, blocks, peak;
};
// A block of a megabyte or more.
struct LargeBlock {
  Owner owner;
  size_t size;
  std::string text, name; // what made it; a person's own name for it, where there is one
  uint64_t number;        // of the buffer
};
// The most that was live in a short time, and of what kinds it was then.
struct MemoryPoint {
  double age; // seconds before now that the time began
  size_t live;
  std::array<size_t, kKinds> kinds;
};

void* memory_take(size_t bytes, Owner owner, const Label* label = nullptr);
void memory_give(void* data, size_t bytes, Owner owner);
MemoryUse memory_use();
// From now on `marked` counts anew.
void memory_mark();
// Those with something, largest first.
std::vector<MemoryHolder> memory_holders();
// The largest block that somebody holds.
std::optional<LargeBlock> memory_largest(Owner owner);
std::vector<MemoryPoint> memory_timeline();
// 0: nine tenths of what the machine, or its container, has to give.
void memory_limit(size_t bytes);
// Gives back to the system all that is kept.
void memory_trim();
// And, of what is free, all that the C library holds back: for whoever has just freed much that nobody wants
// soon.
void memory_return();
// A large block is called so from now on, beside what made it: by a person's own name.
void memory_name(const void* data, std::string name);
// "out of memory. " + `what`, "Its scratch memory could not be had", what there is, and who holds the most. A
// large buffer is followed by its number, "<buffer 7>": who knows variables says there which it is.
std::string out_of_memory(const std::string& what);

// Memory that somebody else takes, counted while it lives: an array that JavaScript gets, which must not end
// the process either. Throws OutOfMemory where the budget has no room for it.
class Reservation {
public:
  Reservation(size_t bytes, Owner owner, const Label* label);
  ~Reservation();
  Reservation(const Reservation&) = delete;

private:
  const size_t bytes_;
  const Owner owner_;
};

// One owned block.
class Block {
public:
  Block() = default;
  explicit Block(size_t bytes, Owner owner = memory_owner(), const Label* label = nullptr)
      : data_(memory_take(bytes, owner, label)), bytes_(bytes), owner_(owner) {}
  Block(Block&& other) noexcept : data_(other.data_), bytes_(other.bytes_), owner_(other.owner_) {
    other.data_ = nullptr, other.bytes_ = 0;
  }
  Block& operator=(Block&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  ~Block() {
    if (data_) memory_give(data_, bytes_, owner_);
  }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  template <typename T> T* as() const { return static_cast<T*>(data_); }

private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
  Owner owner_{};
};

} // namespace lensor
