#include "cache_choice.h"
#include <algorithm>
#include <cstring>

namespace lensor {

namespace {

constexpr size_t kPast = 256; // what may be read behind a page

// Element `slot` of a page's numbers, in bytes: keys stand down the width, values in rows.
template <class T> void copy_as(const CacheShape& shape, const lensor_kv_page& from, int64_t at,
                                const lensor_kv_page& page, int64_t to, int64_t count) {
  const int64_t width = shape.head_width, padded = (width + 15) / 16 * 16;
  const T* keys = static_cast<const T*>(from.keys);
  T* own = static_cast<T*>(page.keys);
  for (int64_t i = 0; i < width; i++)
    std::memcpy(own + i * page.room + to, keys + i * from.room + at, count * sizeof(T));
  std::memcpy(static_cast<T*>(page.values) + to * padded, static_cast<const T*>(from.values) + at * padded,
              count * padded * sizeof(T));
  if (shape.dtype != LENSOR_I8) return;
  const auto scales = [](const lensor_kv_page& p, void* data, int64_t width) {
    return reinterpret_cast<float*>(static_cast<char*>(data) + p.room * width);
  };
  std::memcpy(scales(page, page.keys, width) + to, scales(from, from.keys, width) + at,
              count * sizeof(float));
  std::memcpy(scales(page, page.values, padded) + to, scales(from, from.values, padded) + at,
              count * sizeof(float));
}

// Keys [first, first + count) of a choice into a page that is in a code.
void encode(lensor_context* context, const lensor_ops* ops, const CacheShape& shape,
            const lensor_kv_page* from, const HeadChoice& choice, int64_t first, int64_t count,
            const lensor_kv_page& page) {
  const int32_t width = shape.head_width;
  std::vector<float> k(count * width), v(count * width);
  for (int64_t j = 0; j < count;) {
    const int32_t* keep = choice.keep.data() + first + j;
    int64_t run = 1;
    while (j + run < count && keep[run] == keep[0] + run) run++;
    if (!choice.keys || !choice.values)
      if (ops->kv_read(context, shape.dtype, from, keep[0], run, width, k.data() + j * width,
                       v.data() + j * width, width))
        throw std::bad_alloc();
    j += run;
  }
  if (choice.keys) std::memcpy(k.data(), choice.keys + first * width, k.size() * sizeof(float));
  if (choice.values) std::memcpy(v.data(), choice.values + first * width, v.size() * sizeof(float));
  if (choice.key_numbers) std::memcpy(k.data(), choice.key_numbers + first * width, k.size() * sizeof(float));
  if (choice.value_numbers)
    std::memcpy(v.data(), choice.value_numbers + first * width, v.size() * sizeof(float));
  // The side that is in no code is written with the other one beside it, which goes nowhere.
  std::vector<char> spare(std::max(shape.key_bytes(page.room), shape.value_bytes(page.room)));
  lensor_kv_page plain{page.key_code ? spare.data() : page.keys, page.value_code ? spare.data() : page.values,
                       page.room, nullptr, nullptr};
  lensor_status status = LENSOR_OK;
  if (!page.key_code || !page.value_code)
    ops->kv_write(context, shape.dtype, k.data(), v.data(), width, count, width, 0, &plain);
  if (page.key_code && choice.code.keys_of < 0)
    status = ops->kv_encode(context, page.key_code, k.data(), width, count, width, page.room, 0, page.keys);
  if (page.value_code && choice.code.values_of < 0 && !status)
    status =
        ops->kv_encode(context, page.value_code, v.data(), width, count, width, page.room, 1, page.values);
  if (status) throw std::bad_alloc();
}

} // namespace

void copy_keys(const lensor_ops* ops, const CacheShape& shape, const lensor_kv_page& from, int64_t at,
               const lensor_kv_page& page, int64_t to, int64_t count) {
  if (from.key_code || from.value_code) {
    const int32_t width = shape.head_width;
    std::vector<float> k(count * width), v(count * width);
    if (ops->kv_read(nullptr, shape.dtype, &from, at, count, width, k.data(), v.data(), width))
      throw std::bad_alloc();
    ops->kv_write(nullptr, shape.dtype, k.data(), v.data(), width, count, width, to, &page);
    return;
  }
  const size_t size = shape.size();
  (size == 4   ? copy_as<uint32_t>
   : size == 2 ? copy_as<uint16_t>
               : copy_as<uint8_t>)(shape, from, at, page, to, count);
}

void fill(lensor_context* context, const lensor_ops* ops, const CacheShape& shape, const lensor_kv_page* from,
          const HeadChoice& choice, lensor_kv_page* pages) {
  const int64_t width = shape.head_width, n = static_cast<int64_t>(choice.keep.size());
  std::vector<float> k(width), v(width);
  for (int64_t j = 0; j < n;) {
    const int64_t slot = choice.keep[j] % LENSOR_PAGE, to = j % LENSOR_PAGE;
    const lensor_kv_page* page = from + choice.keep[j] / LENSOR_PAGE;
    if (const lensor_kv_page& own = pages[j / LENSOR_PAGE]; own.key_code || own.value_code) {
      const int64_t some = std::min<int64_t>(LENSOR_PAGE, n - j);
      encode(context, ops, shape, from, choice, j, some, own);
      j += some;
      continue;
    }
    if (!choice.keys && !choice.values) {
      // Neighbours that stay neighbours go together.
      int64_t run = 1;
      while (j + run < n && choice.keep[j + run] == choice.keep[j] + run && slot + run < LENSOR_PAGE &&
             to + run < LENSOR_PAGE)
        run++;
      copy_keys(ops, shape, *page, slot, pages[j / LENSOR_PAGE], to, run);
      j += run;
      continue;
    }
    if (!choice.keys || !choice.values)
      ops->kv_read(context, shape.dtype, page, slot, 1, shape.head_width, k.data(), v.data(), width);
    ops->kv_write(context, shape.dtype, choice.keys ? choice.keys + j * width : k.data(),
                  choice.values ? choice.values + j * width : v.data(), width, 1, shape.head_width, to,
                  pages + j / LENSOR_PAGE);
    j++;
  }
}

size_t Planned::key_bytes(const lensor_kv_page& page) const {
  return page.key_code ? ops_->kv_code_bytes(page.key_code, shape_.head_width, page.room, 0)
                       : shape_.key_bytes(page.room);
}

size_t Planned::value_bytes(const lensor_kv_page& page) const {
  return page.value_code ? ops_->kv_code_bytes(page.value_code, shape_.head_width, page.room, 1)
                         : shape_.value_bytes(page.room);
}

void Planned::plan(int32_t room, const HeadCode* code, size_t which) {
  lensor_kv_page page{nullptr, nullptr, room, nullptr, nullptr};
  if (code) {
    page.room = (room + 15) / 16 * 16;
    page.key_code = code->keys ? code->keys->at(which) : nullptr;
    page.value_code = code->values ? code->values->at(which) : nullptr;
  }
  // What another head's page holds needs no memory here.
  const size_t keys = code && code->keys_of >= 0 ? 0 : CacheShape::aligned(key_bytes(page));
  const size_t values = code && code->values_of >= 0 ? 0 : CacheShape::aligned(value_bytes(page));
  if (code || room < LENSOR_PAGE) past_ = kPast;
  pages_.push_back({page, keys, values});
  bytes_ += keys + values;
}

void Planned::take() {
  if (pages_.empty()) return;
  block_ = std::make_shared<Block>(bytes_ + past_, owner_);
  at_ = block_->as<char>();
  // Attention reads whole vectors of keys: what was never written must be finite.
  std::memset(at_, 0, bytes_ + past_);
}

lensor_kv_page Planned::next() {
  Wanted& wanted = pages_[next_++];
  lensor_kv_page page = wanted.page;
  page.keys = at_, page.values = at_ + wanted.keys;
  at_ += wanted.keys + wanted.values;
  return page;
}

} // namespace lensor
