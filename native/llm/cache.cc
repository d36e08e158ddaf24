#include "cache.h"
#include <cstring>

namespace lensor {

Cache::Cache(CacheShape shape, std::shared_ptr<const Rope> rope)
    : shape_(shape), rope_(std::move(rope)), heads_(size_t(shape.layers) * shape.kv_heads),
      key_lists_(heads_.size()), value_lists_(heads_.size()) {}

void Cache::put(Head& head, size_t page, std::shared_ptr<Block> block) {
  if (page == head.pages.size()) {
    head.pages.emplace_back();
    head.keys.emplace_back();
    head.values.emplace_back();
  }
  head.keys[page] = block->data();
  head.values[page] = block->as<char>() + (shape_.page_bytes() - shape_.value_bytes());
  head.pages[page] = std::move(block);
}

void Cache::relist() {
  size_t pages = 0;
  for (size_t h = 0; h < heads_.size(); h++) {
    key_lists_[h] = heads_[h].keys.data();
    value_lists_[h] = heads_[h].values.data();
    pages += heads_[h].pages.size();
  }
  bytes_ = pages * shape_.page_bytes();
}

void Cache::reserve(int64_t to) {
  const size_t have = (length_ + LENSOR_PAGE - 1) / LENSOR_PAGE, want = (to + LENSOR_PAGE - 1) / LENSOR_PAGE;
  const size_t size = shape_.page_bytes();
  // Where the next token goes: the page under way (which a fork may hold too), then fresh ones.
  const Owner owner{memory_owner().cell, Kind::cache};
  const bool partial = length_ % LENSOR_PAGE != 0 && to > length_;
  try {
    for (auto& head : heads_) {
      if (partial && head.pages[have - 1].use_count() > 1) {
        auto copy = std::make_shared<Block>(size, owner);
        std::memcpy(copy->data(), head.pages[have - 1]->data(), size);
        put(head, have - 1, std::move(copy));
      }
      while (head.pages.size() < want) {
        auto page = std::make_shared<Block>(size, owner);
        // Attention reads whole vectors of keys: what was never written must be finite.
        std::memset(page->data(), 0, size);
        put(head, head.pages.size(), std::move(page));
      }
    }
  } catch (...) {
    set_length(length_);
    throw;
  }
  relist();
}

void Cache::set_length(int64_t length) {
  const size_t pages = (length + LENSOR_PAGE - 1) / LENSOR_PAGE;
  for (auto& head : heads_) {
    if (head.pages.size() <= pages) continue;
    head.pages.resize(pages);
    head.keys.resize(pages);
    head.values.resize(pages);
  }
  length_ = length;
  relist();
}

void Cache::share(const Cache& other, int64_t length) {
  heads_ = other.heads_;
  set_length(length);
}

} // namespace lensor
