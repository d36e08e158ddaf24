// Keys and values of the tokens a model has read: for each layer and KV head a list of pages
// (lensor_kv_page). Forks share pages; a page that others hold too, or that has no room to spare, is copied
// before it is written. A cache can be made of chosen keys of another: its heads then hold different numbers
// of them, with a bias on each, in pages that are exactly as large as they must be, some of them in a code.
// Used on the executor's thread alone; `bytes` from any.
#pragma once
#include "../core/memory.h"
#include "../include/lensor_abi.h"
#include "cache_code.h"
#include "rope.h"
#include <atomic>
#include <memory>
#include <vector>

namespace lensor {

struct CacheShape {
  int32_t layers, kv_heads, head_width;
  int32_t dtype; // LENSOR_F32, F16, BF16 or I8

  size_t heads() const { return static_cast<size_t>(layers) * kv_heads; }
  // Of so many keys, and of their values.
  size_t key_bytes(int64_t room) const { return room * (head_width * size() + scale()); }
  size_t value_bytes(int64_t room) const { return room * ((head_width + 15) / 16 * 16 * size() + scale()); }
  size_t page_bytes() const { return aligned(key_bytes(LENSOR_PAGE)) + value_bytes(LENSOR_PAGE); }
  static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }
  size_t size() const { return dtype == LENSOR_F32 ? 4 : dtype == LENSOR_I8 ? 1 : 2; }

private:
  size_t scale() const { return dtype == LENSOR_I8 ? sizeof(float) : 0; }
};

// What becomes of one head when a cache is made of another.
struct HeadChoice {
  bool all = true; // it is shared as it is, else:
  std::vector<int32_t> keep;
  std::vector<float> bias;                        // empty, or of each kept key
  const float *keys = nullptr, *values = nullptr; // [keep][head_width] in place of the kept ones
  HeadCode code;
  // [keep][head_width], what is stored of the kept ones in a code; null: they themselves.
  const float *key_numbers = nullptr, *value_numbers = nullptr;
};

class Cache {
public:
  Cache(CacheShape shape, std::shared_ptr<const Rope> rope);
  ~Cache();
  Cache(const Cache&) = delete;

  const CacheShape& shape() const { return shape_; }
  const Rope& rope() const { return *rope_; }
  // An empty one of the same shape, with the same turns.
  std::shared_ptr<Cache> sibling() const { return std::make_shared<Cache>(shape_, rope_); }
  // In tokens of the text: the next position.
  int64_t length() const { return length_; }
  // Below this many tokens it cannot be cut: the keys of those are chosen ones.
  int64_t least() const { return least_; }
  // Of one head's keys.
  int64_t count(int32_t layer, int32_t head) const { return count(heads_[index(layer, head)]); }
  // What its pages and biases occupy, those that forks share included.
  size_t bytes() const { return bytes_.load(); }

  // What a cache of whole pages occupies.
  size_t bytes_of(int64_t length) const {
    return (length + LENSOR_PAGE - 1) / LENSOR_PAGE * heads_.size() * shape_.page_bytes();
  }

  // Makes room for tokens [length, to), this cache's own to write. Throws std::bad_alloc and changes nothing
  // then.
  void reserve(int64_t to);
  void set_length(int64_t length); // at most what was reserved; pages past it are let go
  // It is to hold that many bytes: told at once, though its pages come with the queue.
  void expect(size_t bytes) { bytes_ = bytes; }
  // The first `length` tokens of another cache of the same shape.
  void share(const Cache& other, int64_t length);
  // Chosen keys of another cache of the same shape, [layers * kv_heads]; the next position is `length`.
  void choose(lensor_context*, const lensor_ops*, const Cache& other, const std::vector<HeadChoice>& choices,
              int64_t length);

  // From here on a query reads, of each head's pages that are full now, only so many (lensor_kv_head): what
  // it holds stays, and cannot be cut.
  void read_only(lensor_context*, const lensor_ops*, int64_t pages);

  // Keys and values of one layer, f32 [kv_heads, room, head_width], and biases [kv_heads, room]; zeros behind
  // a head's own and the `behind` that the layer wrote past the length.
  void read(lensor_context*, const lensor_ops*, int32_t layer, int64_t room, int64_t behind, float* keys,
            float* values, float* bias) const;

  // One layer's pages with the codes that they are in, each with just the room of its keys.
  std::vector<char> store(int32_t layer) const;
  // Makes an empty cache what was stored: of each head so many of the first `least` tokens' keys, biases
  // where there are any, and `layers` of pages. Throws std::runtime_error where they are not what they must
  // be.
  struct Stored {
    int64_t length = 0, least = 0;
    std::vector<int64_t> kept;            // [layers * kv_heads]
    std::vector<std::vector<float>> bias; // likewise, each empty or [kept]
    std::vector<std::pair<const char*, size_t>> layers;
  };
  void restore(const lensor_ops*, const Stored&);

  // Of one layer, [kv_heads], with the `rows` keys that a pass is to write.
  std::vector<lensor_kv_head> heads(int32_t layer, int64_t rows) const;

private:
  struct Head {
    std::vector<lensor_kv_page> pages;
    std::vector<std::shared_ptr<Block>> blocks; // of each page
    int64_t kept = 0;                           // keys of the first `least_` tokens
    std::shared_ptr<Block> bias;                // of those, or null
    HeadCode code;
    std::shared_ptr<Block> bounds; // of the first `bounded` pages, or null
    int64_t bounded = 0, reads = 0;
  };
  size_t index(int32_t layer, int32_t head) const { return size_t(layer) * shape_.kv_heads + head; }
  int64_t count(const Head& head) const { return head.kept + length_ - least_; }
  static int64_t room_of(const Head& head) {
    if (head.pages.empty()) return 0;
    return (static_cast<int64_t>(head.pages.size()) - 1) * LENSOR_PAGE + head.pages.back().room;
  }
  void count_bytes();
  Head read_head(const lensor_ops*, const char*& from, const char* end, int64_t keys, Owner) const;

  CacheShape shape_;
  std::shared_ptr<const Rope> rope_;
  int64_t length_ = 0, least_ = 0;
  std::atomic<size_t> bytes_{0};
  std::vector<Head> heads_;
  const lensor_ops* ops_ = nullptr; // that read codes, where there are any
  // Since its pages were last written here, another cache may have come to share them.
  mutable bool lent_ = false;
};

} // namespace lensor
