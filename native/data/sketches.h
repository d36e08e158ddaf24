// MinHash signatures of documents, cut into bands, and the clusters of documents that agree in a band: the
// method and the numbers of datatrove. Holds for each document a hash of every band and, where pairs are to
// be compared, one byte of every function's value; no text. What is compared may be looked for more widely:
// the functions are cut into bands a second way then, and a band's hash is of 32 bits.
#pragma once
#include "../core/memory.h"
#include "../cpu/texts.h"
#include "../include/lensor_abi.h"
#include "spelling.h"
#include <memory>

namespace lensor {

struct SketchSpec {
  int32_t bands = 0, rows = 0, gram = 0;
  bool compared = false;      // whether signatures are kept to compare pairs
  std::vector<uint64_t> a, b; // of the functions, bands * rows
  int32_t functions() const { return bands * rows; }
};

// Texts that stand one after the other; text i is bytes [ends[i - 1], ends[i]).
struct Texts {
  std::vector<char> bytes;
  std::vector<int64_t> ends;
  int64_t count() const { return static_cast<int64_t>(ends.size()); }
  std::string_view operator[](int64_t i) const {
    const int64_t begin = i ? ends[i - 1] : 0;
    return {bytes.data() + begin, static_cast<size_t>(ends[i] - begin)};
  }
};

// What became of one text.
enum class Sketched : uint8_t {
  kDone,    // it has a signature
  kShort,   // it has no n-gram
  kUntold,  // spellings of it are not known
  kForeign, // characters of it are not known
};

class Sketches {
public:
  explicit Sketches(SketchSpec spec) : spec_(std::move(spec)) {}

  const SketchSpec& spec() const { return spec_; }
  Spelling spelling;

  // Adds the texts as documents `ids`, which may be ones that were tried before. What is untold goes to
  // `unknown`.
  lensor_status add(lensor_context*, const TextKernels&, const Texts&, const std::vector<int64_t>& ids,
                    std::vector<Sketched>& became, std::vector<std::string>& unknown);
  // The signatures alone, [texts, functions].
  lensor_status signatures(lensor_context*, const TextKernels&, const Texts&, uint64_t* out,
                           std::vector<Sketched>& became, std::vector<std::string>& unknown);
  // For each document the first of its cluster. Where `least` is above 0, two that share a band must agree in
  // that part of their functions too.
  lensor_status clusters(lensor_context*, double least, std::vector<int32_t>& first) const;
  int64_t documents() const { return documents_; }

private:
  struct Page {
    Block keys;  // u64 [bands, kPage]; where pairs are compared u32 [2 bands, kPage]
    Block bytes; // u8 [kPage, functions]
  };
  static constexpr int64_t kPage = 1 << 15;

  Page& page(int64_t document);
  void keep(int64_t document, const uint64_t* values);
  int32_t bands() const { return spec_.compared ? 2 * spec_.bands : spec_.bands; }
  uint64_t key(int64_t document, int32_t band) const;
  double agreement(int64_t one, int64_t other) const;
  void pairs(int32_t band, double least, std::vector<std::pair<int32_t, int32_t>>& out) const;

  SketchSpec spec_;
  std::vector<Page> pages_;
  std::vector<bool> there_;
  int64_t documents_ = 0;
};

} // namespace lensor
