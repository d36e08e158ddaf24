// Where tensors, key-value pages and weights get their memory: counted, 64-byte aligned, and kept for reuse
// in small amounts. Safe from any thread. Throws std::bad_alloc; never overcommits by itself.
#pragma once
#include <cstddef>
#include <memory>

namespace lensor {

struct MemoryUse {
  size_t live; // in use
  size_t kept; // freed and kept for the next request of the size
};

void* memory_take(size_t bytes);
void memory_give(void* data, size_t bytes);
MemoryUse memory_use();

// One owned block.
class Block {
public:
  Block() = default;
  explicit Block(size_t bytes) : data_(memory_take(bytes)), bytes_(bytes) {}
  Block(Block&& other) noexcept : data_(other.data_), bytes_(other.bytes_) {
    other.data_ = nullptr, other.bytes_ = 0;
  }
  Block& operator=(Block&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Block() {
    if (data_) memory_give(data_, bytes_);
  }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  template <typename T> T* as() const { return static_cast<T*>(data_); }

private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

} // namespace lensor
