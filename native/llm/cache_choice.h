// How chosen keys get from one cache's pages into another's: the parts of Cache::choose that know no cache.
#pragma once
#include "cache.h"

namespace lensor {

// Keys and values in slots [at, at + count) of one page into those from `to` of another, which is in no code.
void copy_keys(const lensor_ops*, const CacheShape&, const lensor_kv_page& from, int64_t at,
               const lensor_kv_page& page, int64_t to, int64_t count);

// Writes a choice's keys and values into pages that have just its room. Kept ones are copied as they are;
// where either is replaced, or in a code, both go through f32.
void fill(lensor_context*, const lensor_ops*, const CacheShape&, const lensor_kv_page* from,
          const HeadChoice&, lensor_kv_page* pages);

// One block of memory for many pages, each as large as its room: planned, taken, then handed out in the order
// of planning.
class Planned {
public:
  Planned(const lensor_ops* ops, const CacheShape& shape, Owner owner)
      : ops_(ops), shape_(shape), owner_(owner) {}
  // `code`: null, or what it is stored in.
  void plan(int32_t room, const HeadCode* code = nullptr, size_t page = 0);
  void take();
  lensor_kv_page next();
  const std::shared_ptr<Block>& block() const { return block_; }
  // Of a page's own numbers.
  size_t key_bytes(const lensor_kv_page&) const;
  size_t value_bytes(const lensor_kv_page&) const;

private:
  const lensor_ops* ops_;
  const CacheShape& shape_;
  const Owner owner_;
  struct Wanted {
    lensor_kv_page page; // without its memory
    size_t keys, values; // bytes
  };
  std::vector<Wanted> pages_;
  std::shared_ptr<Block> block_;
  size_t bytes_ = 0, past_ = 0, next_ = 0;
  char* at_ = nullptr;
};

// Calls f(item) for each item, on any thread.
template <class F> void in_parallel(lensor_context* context, int64_t items, const F& f) {
  const lensor_body body = [](void* arg, int64_t begin, int64_t end, int32_t) {
    for (int64_t item = begin; item < end; item++) (*static_cast<const F*>(arg))(item);
  };
  context->parallel(context, items, 1, body, const_cast<F*>(&f));
}

} // namespace lensor
