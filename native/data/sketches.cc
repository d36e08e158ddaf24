#include "sketches.h"
#include "hash.h"
#include <algorithm>
#include <mutex>

namespace lensor {

namespace {

// Texts that a thread takes at once.
constexpr int64_t kGrain = 8;
// Bytes of scratch that a thread keeps.
constexpr size_t kLargeText = size_t{16} << 20;
// Documents before one in a band's bucket that it is compared with.
constexpr int kLooks = 8;

template <typename F> void each(lensor_context* context, int64_t count, int64_t grain, F& body) {
  context->parallel(
      context, count, grain,
      [](void* arg, int64_t begin, int64_t end, int32_t) { (*static_cast<F*>(arg))(begin, end); }, &body);
}

} // namespace

lensor_status Sketches::signatures(lensor_context* context, const TextKernels& kernels, const Texts& texts,
                                   uint64_t* out, std::vector<Sketched>& became,
                                   std::vector<std::string>& unknown) {
  std::mutex mutex;
  became.assign(texts.count(), Sketched::kDone);
  const size_t gram = spec_.gram;
  auto some = [&](int64_t begin, int64_t end) {
    thread_local Words words;
    thread_local std::vector<uint64_t> hashes;
    for (int64_t i = begin; i < end && !context->interrupted(context); i++) {
      if (!spell(spelling, texts[i].data(), texts[i].size(), words)) {
        became[i] = words.unknown.empty() ? Sketched::kForeign : Sketched::kUntold;
        std::lock_guard lock(mutex);
        for (std::string& one : words.unknown) unknown.push_back(std::move(one));
        continue;
      }
      hashes.clear();
      for (size_t at = 0; at + gram <= words.count(); at++) {
        const std::string_view text = words.gram(at, gram);
        hashes.push_back(xxhash64(text.data(), text.size()));
      }
      if (hashes.empty()) became[i] = Sketched::kShort;
      kernels.minhash(hashes.data(), static_cast<int64_t>(hashes.size()), spec_.a.data(), spec_.b.data(),
                      spec_.functions(), out + i * spec_.functions());
      // One very long text must not hold its memory for all that come.
      if (words.text.size() > kLargeText) words = Words(), hashes = {};
    }
  };
  each(context, texts.count(), kGrain, some);
  return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
}

Sketches::Page& Sketches::page(int64_t document) {
  while (static_cast<int64_t>(pages_.size()) * kPage <= document) {
    Page page;
    page.keys = Block(bands() * kPage * (spec_.compared ? sizeof(uint32_t) : sizeof(uint64_t)));
    if (spec_.compared) page.bytes = Block(spec_.functions() * kPage);
    pages_.push_back(std::move(page));
  }
  return pages_[document / kPage];
}

void Sketches::keep(int64_t document, const uint64_t* values) {
  Page& own = page(document);
  const int64_t at = document % kPage;
  const int32_t functions = spec_.functions(), rows = spec_.rows;
  if (!spec_.compared) {
    for (int32_t band = 0; band < spec_.bands; band++)
      own.keys.as<uint64_t>()[band * kPage + at] = xxhash64(values + band * rows, rows * sizeof(uint64_t));
    return;
  }
  // The second way: every so manieth function.
  std::vector<uint64_t> across(functions);
  for (int32_t band = 0; band < spec_.bands; band++)
    for (int32_t row = 0; row < rows; row++) across[band * rows + row] = values[row * spec_.bands + band];
  for (int32_t band = 0; band < bands(); band++) {
    const bool second = band >= spec_.bands;
    const uint64_t* from = second ? across.data() + (band - spec_.bands) * rows : values + band * rows;
    own.keys.as<uint32_t>()[band * kPage + at] =
        static_cast<uint32_t>(xxhash64(from, rows * sizeof(uint64_t)));
  }
  for (int32_t k = 0; k < functions; k++)
    own.bytes.as<uint8_t>()[at * functions + k] = static_cast<uint8_t>(values[k]);
}

uint64_t Sketches::key(int64_t document, int32_t band) const {
  const Block& keys = pages_[document / kPage].keys;
  const int64_t at = band * kPage + document % kPage;
  return spec_.compared ? keys.as<uint32_t>()[at] : keys.as<uint64_t>()[at];
}

lensor_status Sketches::add(lensor_context* context, const TextKernels& kernels, const Texts& texts,
                            const std::vector<int64_t>& ids, std::vector<Sketched>& became,
                            std::vector<std::string>& unknown) {
  std::vector<uint64_t> found(texts.count() * spec_.functions());
  if (const auto status = signatures(context, kernels, texts, found.data(), became, unknown)) return status;
  for (int64_t i = 0; i < texts.count(); i++) {
    documents_ = std::max(documents_, ids[i] + 1);
    if (static_cast<int64_t>(there_.size()) < documents_) there_.resize(documents_);
    if (became[i] != Sketched::kDone) continue;
    there_[ids[i]] = true;
    keep(ids[i], found.data() + i * spec_.functions());
  }
  return LENSOR_OK;
}

// Two values that differ have the same low byte once in 256 times: that part is taken off.
double Sketches::agreement(int64_t one, int64_t other) const {
  const int32_t functions = spec_.functions();
  const auto row = [&](int64_t id) {
    return pages_[id / kPage].bytes.as<uint8_t>() + id % kPage * functions;
  };
  const uint8_t *x = row(one), *y = row(other);
  int32_t same = 0;
  for (int32_t k = 0; k < functions; k++) same += x[k] == y[k];
  return (static_cast<double>(same) / functions - 1 / 256.0) / (1 - 1 / 256.0);
}

void Sketches::pairs(int32_t band, double least, std::vector<std::pair<int32_t, int32_t>>& out) const {
  std::vector<std::pair<uint64_t, int32_t>> entries;
  for (int64_t id = 0; id < documents_; id++)
    if (there_[id]) entries.emplace_back(key(id, band), static_cast<int32_t>(id));
  std::sort(entries.begin(), entries.end());
  for (size_t i = 1, begin = 0; i < entries.size(); i++) {
    if (entries[i].first != entries[begin].first) {
      begin = i;
      continue;
    }
    const size_t from = std::max(begin, i < kLooks ? 0 : i - kLooks);
    for (size_t j = i; j-- > from;) {
      if (least > 0 && agreement(entries[j].second, entries[i].second) < least) continue;
      out.emplace_back(entries[j].second, entries[i].second);
      break;
    }
  }
}

lensor_status Sketches::clusters(lensor_context* context, double least, std::vector<int32_t>& first) const {
  std::vector<std::vector<std::pair<int32_t, int32_t>>> found(bands());
  auto some = [&](int64_t begin, int64_t end) {
    for (int64_t band = begin; band < end && !context->interrupted(context); band++)
      pairs(static_cast<int32_t>(band), least, found[band]);
  };
  each(context, bands(), 1, some);
  if (context->interrupted(context)) return LENSOR_INTERRUPTED;
  first.resize(documents_);
  for (int64_t id = 0; id < documents_; id++) first[id] = static_cast<int32_t>(id);
  const auto root = [&](int32_t id) {
    while (first[id] != id) id = first[id] = first[first[id]];
    return id;
  };
  for (const auto& band : found)
    for (const auto& [one, other] : band) {
      const int32_t a = root(one), b = root(other);
      first[std::max(a, b)] = std::min(a, b);
    }
  for (int64_t id = 0; id < documents_; id++) first[id] = root(static_cast<int32_t>(id));
  return LENSOR_OK;
}

} // namespace lensor
