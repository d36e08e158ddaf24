// Keys and values of the tokens a model has read: pages of LENSOR_PAGE keys for each layer and KV head. Forks
// share pages; a page that others hold too is copied before it is written. Used on the executor's thread
// alone; `bytes` from any.
#pragma once
#include "../core/memory.h"
#include "../include/lensor_abi.h"
#include "rope.h"
#include <atomic>
#include <memory>
#include <vector>

namespace lensor {

struct CacheShape {
  int32_t layers, kv_heads, head_width;
  int32_t dtype; // LENSOR_F32, F16, BF16 or I8

  size_t key_bytes() const { return size_t(LENSOR_PAGE) * (head_width * size() + scale()); }
  size_t value_bytes() const {
    return size_t(LENSOR_PAGE) * ((head_width + 15) / 16 * 16 * size() + scale());
  }
  size_t page_bytes() const { return (key_bytes() + 63) / 64 * 64 + value_bytes(); }

private:
  size_t size() const { return dtype == LENSOR_F32 ? 4 : dtype == LENSOR_I8 ? 1 : 2; }
  size_t scale() const { return dtype == LENSOR_I8 ? sizeof(float) : 0; }
};

class Cache {
public:
  Cache(CacheShape shape, std::shared_ptr<const Rope> rope);

  const CacheShape& shape() const { return shape_; }
  const Rope& rope() const { return *rope_; }
  // An empty one of the same shape, with the same turns.
  std::shared_ptr<Cache> sibling() const { return std::make_shared<Cache>(shape_, rope_); }
  int64_t length() const { return length_; }
  // What the pages occupy, those that forks share included.
  size_t bytes() const { return bytes_.load(); }

  // What that many tokens occupy.
  size_t bytes_of(int64_t length) const {
    return (length + LENSOR_PAGE - 1) / LENSOR_PAGE * heads_.size() * shape_.page_bytes();
  }

  // Makes room for tokens [length, to), this cache's own to write. Throws std::bad_alloc and changes nothing
  // then.
  void reserve(int64_t to);
  void set_length(int64_t length); // at most what was reserved; pages past it are let go
  // It is to share that many: what it will occupy is told at once, though its pages come with the queue.
  void expect(int64_t length) { bytes_ = bytes_of(length); }
  // The first `length` tokens of another cache of the same shape.
  void share(const Cache& other, int64_t length);

  // Of one layer: [kv_heads][page].
  const void* const* const* keys(int32_t layer) const { return &key_lists_[size_t(layer) * shape_.kv_heads]; }
  const void* const* const* values(int32_t layer) const {
    return &value_lists_[size_t(layer) * shape_.kv_heads];
  }

private:
  struct Head {
    std::vector<std::shared_ptr<Block>> pages;
    std::vector<void*> keys, values; // where in the pages
  };
  size_t index(int32_t layer, int32_t head) const { return size_t(layer) * shape_.kv_heads + head; }
  void put(Head& head, size_t page, std::shared_ptr<Block> block);
  void relist();

  CacheShape shape_;
  std::shared_ptr<const Rope> rope_;
  int64_t length_ = 0;
  std::atomic<size_t> bytes_{0};
  std::vector<Head> heads_;
  std::vector<const void* const*> key_lists_, value_lists_;
};

} // namespace lensor
