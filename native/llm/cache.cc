#include "cache.h"
#include "../core/pages.h"
#include "cache_choice.h"
#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

namespace lensor {

namespace {

// A cache of so many bytes is worth asking the system to take its memory back.
constexpr size_t kWorthReturning = 4u << 20;

// In bf16, away from what they bound, where it does not fit.
uint16_t outside(float x, bool up) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const bool grows = (bits >> 31) != (up ? 1u : 0u); // the magnitude must not shrink
  return static_cast<uint16_t>((bits >> 16) + (grows && (bits & 0xffff) ? 1 : 0));
}

// The least and the most of each channel of a page's keys [LENSOR_PAGE, width]: [2][padded], zeros behind.
void bounds_of(const float* keys, int64_t width, int64_t padded, uint16_t* bounds) {
  for (int64_t i = 0; i < padded; i++) {
    float least = i < width ? keys[i] : 0, most = least;
    for (int64_t j = 1; j < LENSOR_PAGE && i < width; j++) {
      least = std::min(least, keys[j * width + i]);
      most = std::max(most, keys[j * width + i]);
    }
    bounds[i] = outside(least, false);
    bounds[padded + i] = outside(most, true);
  }
}

size_t pages_of(int64_t keys) { return static_cast<size_t>((keys + LENSOR_PAGE - 1) / LENSOR_PAGE); }

} // namespace

Cache::Cache(CacheShape shape, std::shared_ptr<const Rope> rope)
    : shape_(shape), rope_(std::move(rope)), heads_(shape.heads()) {}

Cache::~Cache() {
  const size_t had = bytes_;
  heads_.clear();
  if (had >= kWorthReturning) memory_return();
}

void Cache::count_bytes() {
  std::unordered_set<const Block*> seen;
  size_t bytes = 0;
  for (const Head& head : heads_) {
    for (const auto& block : head.blocks)
      if (seen.insert(block.get()).second) bytes += rounded(block->bytes());
    if (head.bias) bytes += rounded(head.bias->bytes());
    bytes += head.code.bytes();
    if (head.bounds) bytes += head.bounds->bytes();
  }
  bytes_ = bytes;
}

void Cache::reserve(int64_t to) {
  const Owner owner{memory_owner().cell, Kind::cache};
  // Pages that heads come to together stand in one block, which they let go of together.
  std::vector<Head*> heads;
  const auto take = [&](const auto& put) {
    Planned pages(ops_, shape_, owner);
    for (size_t i = 0; i < heads.size(); i++) pages.plan(LENSOR_PAGE);
    pages.take();
    for (Head* head : heads) put(*head, pages.next(), pages.block());
    if (!heads.empty()) count_bytes();
    heads.clear();
  };
  // How often this cache itself holds a block: whoever holds it more often is another one.
  std::unordered_map<const Block*, long> held;
  if (lent_)
    for (const Head& head : heads_)
      for (const auto& block : head.blocks) held[block.get()]++;
  const auto is_lent = [&](const std::shared_ptr<Block>& block) {
    return lent_ && block.use_count() > held[block.get()];
  };
  try {
    // Where the next token goes: the page under way (which a fork may hold too), then fresh ones.
    for (Head& head : heads_)
      if (to > length_ && count(head) % LENSOR_PAGE != 0) {
        const size_t last = pages_of(count(head)) - 1;
        const lensor_kv_page& page = head.pages[last];
        if (is_lent(head.blocks[last]) || page.room < LENSOR_PAGE || page.key_code || page.value_code)
          heads.push_back(&head);
      }
    take([&](Head& head, const lensor_kv_page& page, const std::shared_ptr<Block>& block) {
      const int64_t have = count(head);
      const size_t last = pages_of(have) - 1;
      copy_keys(ops_, shape_, head.pages[last], 0, page, 0, have % LENSOR_PAGE);
      head.pages[last] = page, head.blocks[last] = block;
    });
    for (bool more = true; more;) {
      for (Head& head : heads_)
        if (head.pages.size() < pages_of(count(head) + to - length_)) heads.push_back(&head);
      more = !heads.empty();
      take([](Head& head, const lensor_kv_page& page, const std::shared_ptr<Block>& block) {
        head.pages.push_back(page), head.blocks.push_back(block);
      });
    }
  } catch (...) {
    set_length(length_);
    throw;
  }
  if (to > length_) lent_ = false;
}

void Cache::set_length(int64_t length) {
  length_ = length;
  bool less = false;
  for (auto& head : heads_) {
    const size_t pages = pages_of(count(head));
    if (head.pages.size() <= pages) continue;
    head.pages.resize(pages);
    head.blocks.resize(pages);
    less = true;
  }
  if (less) count_bytes();
}

void Cache::share(const Cache& other, int64_t length) {
  heads_ = other.heads_;
  lent_ = other.lent_ = true;
  least_ = other.least_;
  ops_ = other.ops_;
  set_length(length);
  count_bytes();
}

std::vector<lensor_kv_head> Cache::heads(int32_t layer, int64_t rows) const {
  std::vector<lensor_kv_head> list;
  for (int32_t g = 0; g < shape_.kv_heads; g++) {
    const Head& head = heads_[index(layer, g)];
    list.push_back({head.pages.data(), count(head) + rows, head.bias ? head.bias->as<float>() : nullptr,
                    head.bias ? head.kept : 0, head.bounds ? head.bounds->as<uint16_t>() : nullptr,
                    head.bounded, head.reads});
  }
  return list;
}

void Cache::read(lensor_context* context, const lensor_ops* ops, int32_t layer, int64_t room, int64_t behind,
                 float* keys, float* values, float* bias) const {
  const int64_t width = shape_.head_width;
  std::memset(keys, 0, sizeof(float) * shape_.kv_heads * room * width);
  std::memset(values, 0, sizeof(float) * shape_.kv_heads * room * width);
  std::memset(bias, 0, sizeof(float) * shape_.kv_heads * room);
  for (int32_t g = 0; g < shape_.kv_heads; g++)
    if (const Head& head = heads_[index(layer, g)]; head.bias)
      std::memcpy(bias + g * room, head.bias->data(), std::min(room, head.kept) * sizeof(float));
  const int64_t pages = (room + LENSOR_PAGE - 1) / LENSOR_PAGE;
  in_parallel(context, shape_.kv_heads * pages, [&](int64_t item) {
    const int64_t g = item / pages, at = item % pages * LENSOR_PAGE;
    const Head& head = heads_[index(layer, static_cast<int32_t>(g))];
    const int64_t written = std::min(count(head) + behind, room_of(head));
    const int64_t rows = std::min<int64_t>(LENSOR_PAGE, std::min(room, written) - at);
    if (rows > 0)
      ops->kv_read(context, shape_.dtype, head.pages.data(), at, rows, shape_.head_width,
                   keys + (g * room + at) * width, values + (g * room + at) * width, width);
  });
}

void Cache::choose(lensor_context* context, const lensor_ops* ops, const Cache& other,
                   const std::vector<HeadChoice>& choices, int64_t length) {
  const Owner owner{memory_owner().cell, Kind::cache};
  for (size_t i = 0; i < choices.size(); i++)
    for (const int32_t at : choices[i].keep)
      if (at < 0 || at >= other.count(other.heads_[i]))
        throw std::runtime_error("a key was chosen that the cache does not hold");
  // Whole pages together, and last pages together: those of a head are let go of when it grows.
  Planned whole(ops, shape_, owner), last(ops, shape_, owner);
  std::vector<Head> made(heads_.size());
  for (size_t i = 0; i < made.size(); i++) {
    const HeadChoice& choice = choices[i];
    Head& head = made[i];
    if (choice.all) {
      lent_ = other.lent_ = true;
      head = other.heads_[i];
      head.kept = other.count(head);
      continue;
    }
    head.kept = static_cast<int64_t>(choice.keep.size());
    for (int64_t at = 0; at < head.kept; at += LENSOR_PAGE) {
      const auto room = static_cast<int32_t>(std::min<int64_t>(LENSOR_PAGE, head.kept - at));
      (room == LENSOR_PAGE ? whole : last)
          .plan(room, choice.code.covers(at) ? &choice.code : nullptr, static_cast<size_t>(at / LENSOR_PAGE));
    }
    if (choice.code.covers(choice.code.from)) head.code = choice.code;
    if (choice.bias.empty()) continue;
    head.bias = std::make_shared<Block>(choice.bias.size() * sizeof(float), owner);
    std::memcpy(head.bias->data(), choice.bias.data(), choice.bias.size() * sizeof(float));
  }
  whole.take();
  last.take();
  for (size_t i = 0; i < made.size(); i++)
    if (!choices[i].all)
      for (int64_t at = 0; at < made[i].kept; at += LENSOR_PAGE) {
        Planned& from = made[i].kept - at >= LENSOR_PAGE ? whole : last;
        made[i].pages.push_back(from.next());
        made[i].blocks.push_back(from.block());
      }
  // All pages of a kind are in one block, so that another head's live as long as this one's.
  for (size_t i = 0; i < made.size(); i++)
    for (size_t page = 0; page < made[i].pages.size() && !choices[i].all; page++) {
      const HeadCode& code = choices[i].code;
      if (!code.covers(static_cast<int64_t>(page) * LENSOR_PAGE)) continue;
      if (code.keys_of >= 0) made[i].pages[page].keys = made[code.keys_of].pages.at(page).keys;
      if (code.values_of >= 0) made[i].pages[page].values = made[code.values_of].pages.at(page).values;
    }
  in_parallel(context, static_cast<int64_t>(made.size()), [&](int64_t i) {
    if (!choices[i].all && !context->interrupted(context))
      fill(context, ops, shape_, other.heads_[i].pages.data(), choices[i], made[i].pages.data());
  });
  heads_ = std::move(made);
  length_ = least_ = length;
  ops_ = ops;
  count_bytes();
}

void Cache::read_only(lensor_context* context, const lensor_ops* ops, int64_t pages) {
  const Owner owner{memory_owner().cell, Kind::cache};
  const int64_t width = shape_.head_width, padded = (width + 15) / 16 * 16;
  std::vector<std::shared_ptr<Block>> made;
  for (const Head& head : heads_) {
    const int64_t full = count(head) / LENSOR_PAGE;
    made.push_back(full > 0 ? std::make_shared<Block>(full * 2 * padded * sizeof(uint16_t), owner) : nullptr);
  }
  in_parallel(context, static_cast<int64_t>(heads_.size()), [&](int64_t i) {
    if (!made[i] || context->interrupted(context)) return;
    std::vector<float> keys(LENSOR_PAGE * width), values(keys.size());
    for (int64_t page = 0; page < count(heads_[i]) / LENSOR_PAGE; page++) {
      ops->kv_read(context, shape_.dtype, heads_[i].pages.data(), page * LENSOR_PAGE, LENSOR_PAGE,
                   shape_.head_width, keys.data(), values.data(), width);
      bounds_of(keys.data(), width, padded, made[i]->as<uint16_t>() + 2 * page * padded);
    }
  });
  if (context->interrupted(context)) return;
  for (size_t i = 0; i < heads_.size(); i++) {
    Head& head = heads_[i];
    head.kept = count(head);
    head.bounds = std::move(made[i]);
    head.bounded = head.kept / LENSOR_PAGE;
    head.reads = std::min(pages, head.bounded);
  }
  least_ = length_;
  count_bytes();
}

} // namespace lensor
