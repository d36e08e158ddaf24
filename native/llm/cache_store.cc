// A cache as bytes, for files: layer by layer, of each head the codes that its pages are in, then the pages
// as they stand. What is read back comes from strangers: codes and sizes are checked; any bytes are numbers.
#include "cache.h"
#include "cache_choice.h"
#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace lensor {

namespace {

// One side's code as it is stored; `extra` bytes of its basis or channels follow. kind -1: none.
struct StoredCode {
  int32_t kind = -1, bits = 0, per_token = 0, rotated = 0, rank = 0, dtype = 0;
  int64_t extra = 0;
};
struct StoredHead {
  int64_t from = 0, to = 0;
  StoredCode keys, values;
};

void append(std::vector<char>& to, const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  to.insert(to.end(), from, from + bytes);
}

StoredCode stored(const std::shared_ptr<const SideCode>& side) {
  if (!side) return {};
  const lensor_kv_code& c = side->code;
  return {
      c.kind, c.bits, c.per_token, c.rotated, c.rank, c.dtype, static_cast<int64_t>(side->memory.bytes())};
}

[[noreturn]] void damaged(const char* what) {
  throw std::runtime_error(std::string("the stored cache is damaged: ") + what);
}

const char* take(const char*& from, const char* end, size_t bytes) {
  if (bytes > static_cast<size_t>(end - from)) damaged("it ends too early");
  const char* at = from;
  from += bytes;
  return at;
}

std::shared_ptr<const SideCode> read_side(const StoredCode& s, const char*& from, const char* end,
                                          int64_t width, Owner owner) {
  if (s.kind == -1) return nullptr;
  const bool bits = s.kind == LENSOR_KV_BITS && (s.bits == 2 || s.bits == 3 || s.bits == 4 || s.bits == 8) &&
                    (s.rotated == 0 || (s.rotated == 1 && (width & (width - 1)) == 0)) && s.extra == 0;
  const bool number = s.dtype == LENSOR_F32 || s.dtype == LENSOR_F16 || s.dtype == LENSOR_BF16;
  const bool few = s.rank >= 1 && s.rank <= width && number;
  const int64_t padded = (width + 15) / 16 * 16, real = static_cast<int64_t>(sizeof(float));
  const bool rank = s.kind == LENSOR_KV_RANK && few && s.extra == s.rank * padded * real;
  const bool some = s.kind == LENSOR_KV_CHANNELS && few && s.extra == s.rank * real;
  if (!bits && !rank && !some) damaged("a code that there is not");
  auto side = std::make_shared<SideCode>();
  side->code.kind = s.kind, side->code.bits = s.bits, side->code.per_token = s.per_token != 0;
  side->code.rotated = s.rotated, side->code.dtype = s.dtype;
  if (bits) return side;
  const char* extra = take(from, end, static_cast<size_t>(s.extra));
  if (rank) {
    std::vector<float> basis(s.rank * width);
    for (int64_t r = 0; r < s.rank; r++)
      std::memcpy(&basis[r * width], extra + r * padded * real, width * sizeof(float));
    side->set_basis(basis.data(), s.rank, width, owner);
    return side;
  }
  std::vector<int32_t> channels(s.rank);
  std::memcpy(channels.data(), extra, s.rank * sizeof(int32_t));
  for (size_t i = 0; i < channels.size(); i++)
    if (channels[i] < 0 || channels[i] >= width || (i && channels[i] <= channels[i - 1]))
      damaged("channels that a head has not");
  side->set_channels(channels, owner);
  return side;
}

} // namespace

std::vector<char> Cache::store(int32_t layer) const {
  std::vector<char> bytes;
  for (int32_t g = 0; g < shape_.kv_heads; g++) {
    const Head& head = heads_[index(layer, g)];
    const int64_t keys = count(head);
    for (const auto& side : {head.code.keys, head.code.values})
      if (side && !side->pages.empty())
        throw std::runtime_error(
            "layers of this cache share their numbers, and such a cache cannot be saved: "
            "save the one that it was made of");
    StoredHead codes{head.code.from, head.code.from, stored(head.code.keys), stored(head.code.values)};
    // A page that was written to since is in no code any more.
    for (size_t p = 0; p < head.pages.size(); p++)
      if (head.pages[p].key_code || head.pages[p].value_code)
        codes.to = std::min<int64_t>(keys, (static_cast<int64_t>(p) + 1) * LENSOR_PAGE);
    append(bytes, &codes, sizeof(codes));
    for (const auto& side : {head.code.keys, head.code.values})
      if (side) append(bytes, side->memory.data(), side->memory.bytes());
    for (size_t p = 0; p < head.pages.size(); p++) {
      const auto room =
          static_cast<int32_t>(std::min<int64_t>(LENSOR_PAGE, keys - static_cast<int64_t>(p) * LENSOR_PAGE));
      lensor_kv_page page = head.pages[p];
      Planned tight(ops_, shape_, {memory_owner().cell, Kind::scratch});
      if (!page.key_code && !page.value_code && page.room != room) {
        tight.plan(room);
        tight.take();
        const lensor_kv_page from = page;
        page = tight.next();
        copy_keys(ops_, shape_, from, 0, page, 0, room);
      }
      append(bytes, page.keys, tight.key_bytes(page));
      append(bytes, page.values, tight.value_bytes(page));
    }
  }
  return bytes;
}

Cache::Head Cache::read_head(const lensor_ops* ops, const char*& from, const char* end, int64_t keys,
                             Owner owner) const {
  StoredHead codes;
  std::memcpy(&codes, take(from, end, sizeof(codes)), sizeof(codes));
  if (codes.from < 0 || codes.to < codes.from || codes.to > keys || codes.from % LENSOR_PAGE ||
      (codes.to % LENSOR_PAGE && codes.to != keys))
    damaged("a code of keys that are not there");
  Head head;
  head.code.from = codes.from, head.code.to = codes.to;
  head.code.keys = read_side(codes.keys, from, end, shape_.head_width, owner);
  head.code.values = read_side(codes.values, from, end, shape_.head_width, owner);
  Planned pages(ops, shape_, owner);
  for (int64_t at = 0; at < keys; at += LENSOR_PAGE)
    pages.plan(static_cast<int32_t>(std::min<int64_t>(LENSOR_PAGE, keys - at)),
               head.code.covers(at) ? &head.code : nullptr);
  pages.take();
  for (int64_t at = 0; at < keys; at += LENSOR_PAGE) {
    const lensor_kv_page page = pages.next();
    const size_t k = pages.key_bytes(page), v = pages.value_bytes(page);
    std::memcpy(page.keys, take(from, end, k), k);
    std::memcpy(page.values, take(from, end, v), v);
    head.pages.push_back(page);
    head.blocks.push_back(pages.block());
  }
  return head;
}

void Cache::restore(const lensor_ops* ops, const Stored& stored) {
  const Owner owner{memory_owner().cell, Kind::cache};
  std::vector<Head> made;
  for (int32_t layer = 0; layer < shape_.layers; layer++) {
    const char *from = stored.layers[layer].first, *end = from + stored.layers[layer].second;
    for (int32_t g = 0; g < shape_.kv_heads; g++) {
      const size_t i = index(layer, g);
      Head head = read_head(ops, from, end, stored.kept[i] + stored.length - stored.least, owner);
      head.kept = stored.kept[i];
      if (const std::vector<float>& bias = stored.bias[i]; !bias.empty()) {
        head.bias = std::make_shared<Block>(bias.size() * sizeof(float), owner);
        std::memcpy(head.bias->data(), bias.data(), bias.size() * sizeof(float));
      }
      made.push_back(std::move(head));
    }
    if (from != end) damaged("it holds more than it should");
  }
  heads_ = std::move(made);
  ops_ = ops;
  length_ = stored.length, least_ = stored.least;
  count_bytes();
}

} // namespace lensor
