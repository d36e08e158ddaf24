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

} // namespace

void copy_keys(const CacheShape& shape, const lensor_kv_page& from, int64_t at, const lensor_kv_page& page,
               int64_t to, int64_t count) {
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
    if (!choice.keys && !choice.values) {
      // Neighbours that stay neighbours go together.
      int64_t run = 1;
      while (j + run < n && choice.keep[j + run] == choice.keep[j] + run && slot + run < LENSOR_PAGE &&
             to + run < LENSOR_PAGE)
        run++;
      copy_keys(shape, *page, slot, pages[j / LENSOR_PAGE], to, run);
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

void Planned::plan(int32_t room) {
  rooms_.push_back(room);
  bytes_ += CacheShape::aligned(shape_.key_bytes(room)) + CacheShape::aligned(shape_.value_bytes(room));
}

void Planned::take() {
  if (rooms_.empty()) return;
  block_ = std::make_shared<Block>(bytes_ + kPast, owner_);
  at_ = block_->as<char>();
  std::memset(at_, 0, bytes_ + kPast);
}

lensor_kv_page Planned::next() {
  const int32_t room = rooms_[next_++];
  lensor_kv_page page{at_, at_ + CacheShape::aligned(shape_.key_bytes(room)), room};
  at_ += CacheShape::aligned(shape_.key_bytes(room)) + CacheShape::aligned(shape_.value_bytes(room));
  return page;
}

} // namespace lensor
