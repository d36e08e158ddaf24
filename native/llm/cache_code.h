// A code that one head's keys, or values, are stored in, with the numbers it needs. Made once, then only
// read; shared by all pages in it, and by forks.
#pragma once
#include "../core/memory.h"
#include "../include/lensor_abi.h"
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace lensor {

struct SideCode {
  lensor_kv_code code{};
  std::vector<lensor_kv_code> pages; // empty, or of each page its own
  Block memory;                      // the basis, or the channels
  Block factors;                     // of keys, a full page's for every page

  // `basis`: [rank][width].
  void set_basis(const float* basis, int64_t rank, int64_t width, Owner owner) {
    const int64_t padded = (width + 15) / 16 * 16;
    memory = Block(rank * padded * sizeof(float), owner);
    std::memset(memory.data(), 0, memory.bytes());
    for (int64_t r = 0; r < rank; r++)
      std::memcpy(memory.as<float>() + r * padded, basis + r * width, width * sizeof(float));
    code.rank = static_cast<int32_t>(rank), code.basis = memory.as<float>();
  }
  void set_channels(const std::vector<int32_t>& channels, Owner owner) {
    memory = Block(channels.size() * sizeof(int32_t), owner);
    std::copy(channels.begin(), channels.end(), memory.as<int32_t>());
    code.rank = static_cast<int32_t>(channels.size()), code.channels = memory.as<int32_t>();
  }
  // All channels, each key times its factor.
  void set_factors(const std::vector<float>& each, int32_t width, Owner owner) {
    std::vector<int32_t> channels(width);
    for (int32_t i = 0; i < width; i++) channels[i] = i;
    set_channels(channels, owner);
    const size_t count = (each.size() + LENSOR_PAGE - 1) / LENSOR_PAGE;
    factors = Block(count * LENSOR_PAGE * sizeof(float), owner);
    std::memset(factors.data(), 0, factors.bytes());
    std::copy(each.begin(), each.end(), factors.as<float>());
    pages.assign(count, code);
    for (size_t p = 0; p < count; p++) pages[p].basis = factors.as<float>() + p * LENSOR_PAGE;
  }

  const lensor_kv_code* at(size_t page) const { return pages.empty() ? &code : &pages[page]; }
  size_t bytes() const { return memory.bytes() + factors.bytes(); }
};

// What becomes of a head's keys and values; either may be null: it stays in the cache's dtype.
struct HeadCode {
  std::shared_ptr<const SideCode> keys, values;
  int64_t from = 0, to = 0; // which keys: from the first of a page to the last of one, or of all
  // The head, one before it, whose pages hold its numbers too; -1: it has its own.
  int32_t keys_of = -1, values_of = -1;

  bool covers(int64_t key) const { return key >= from && key < to && (keys || values); }
  size_t bytes() const { return (keys ? keys->bytes() : 0) + (values ? values->bytes() : 0); }
};

} // namespace lensor
