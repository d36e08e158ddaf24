// MinHash: the kernel against its formula one number at a time, xxHash64 against its published test values,
// and texts as words by what they were told.
#include "../../native/cpu/dispatch.h"
#include "../../native/data/hash.h"
#include "../../native/data/sketches.h"
#include "check.h"
#include <string>

using namespace lensor;
using namespace lensor::test;

TEST("minhash takes the least of (a x + b) mod 2^64 mod 2^61 - 1") {
  const uint64_t p = (uint64_t{1} << 61) - 1;
  for (int64_t functions : {1, 8, 16, 23, 112})
    for (int64_t n : {0, 1, 2, 57}) {
      std::vector<uint64_t> x(n), a(functions), b(functions), out(functions, 7);
      for (int64_t i = 0; i < n; i++) x[i] = xxhash64(&i, 8, 1);
      // Also where the sum is p, and just above: the remainder is then small.
      for (int64_t k = 0; k < functions; k++)
        a[k] = k % 5 == 4 ? 0 : xxhash64(&k, 8, 2) % p,
        b[k] = k % 5 == 4 ? p + k / 5 : xxhash64(&k, 8, 3) % p;
      text_kernels(&ops).minhash(x.data(), n, a.data(), b.data(), functions, out.data());
      for (int64_t k = 0; k < functions; k++) {
        uint64_t least = ~uint64_t{0};
        for (const uint64_t one : x) least = std::min(least, (a[k] * one + b[k]) % p);
        CHECK_EQ(out[k], least);
      }
    }
}

TEST("xxhash64 gives the values of its specification") {
  CHECK_EQ(xxhash64("", 0), 0xef46db3751d8e999u);
  CHECK_EQ(xxhash64("a", 1), 0xd24ec4f1a98c6e5bu);
  CHECK_EQ(xxhash64("abc", 3), 0x44bc2cf5ad770999u);
  const std::string long_text = "Nobody inspects the spammish repetition";
  CHECK_EQ(xxhash64(long_text.data(), long_text.size()), 0xfbcea83c8a378bf1u);
}

namespace {

// ASCII alone: capitals become small, the full stop and the space end a word, digits are numbers, $ is hard.
Spelling ascii() {
  Spelling spelling;
  spelling.entries.resize(128);
  for (uint32_t c = 0; c < 128; c++) {
    uint32_t& entry = spelling.entries[c];
    if (c >= 'A' && c <= 'Z') {
      entry = kPlain | 1 << 4 | static_cast<uint32_t>(spelling.replacements.size()) << 8;
      spelling.replacements += static_cast<char>(c + 32);
    } else if (c == ' ' || c == '.')
      entry = c == '.' ? kSpace | kSeparator : kSpace;
    else if (c >= '0' && c <= '9')
      entry = kDigit;
    else if (c == '$')
      entry = kHard;
  }
  spelling.settle();
  spelling.tell_plain("dont", "do nt");
  spelling.tell("0", "0");
  return spelling;
}

std::string joined(const Words& words) {
  std::string all;
  for (size_t i = 0; i < words.count(); i++) all += std::string(words.gram(i, 1)) + "|";
  return all;
}

} // namespace

TEST("a text is spelt in simple words, and waits for spellings that nobody told") {
  Spelling spelling = ascii();
  Words words;
  const auto spelt = [&](const std::string& text) {
    return spell(spelling, text.data(), text.size(), words);
  };
  CHECK(spelt("Dont  stop. 1.250.3 x"));
  CHECK(joined(words) == "do|nt|stop|0|0|x|");
  CHECK(std::string(words.gram(1, 3)) == "nt stop 0");
  CHECK(!spelt("a $5 b"));
  CHECK_EQ(words.unknown.size(), 1u);
  CHECK(words.unknown[0] == "$0");
  spelling.tell("$0", "$ 0");
  CHECK(spelt("a $5 b"));
  CHECK(joined(words) == "a|$|0|b|");
  CHECK(spelt("caf\xc3\xa9"));
  CHECK(joined(words) == "caf\xc3\xa9|");
  spelling.entries['?'] = kUnknown;
  spelling.settle();
  CHECK(!spelt("$9 ? $9"));
  CHECK(words.unknown.empty());
  CHECK(spelt(""));
  CHECK_EQ(words.count(), 0u);
}

TEST("documents that share a band are one cluster, whatever order they came in") {
  SketchSpec spec{4, 2, 2, true, {}, {}};
  for (uint64_t k = 0; k < 8; k++)
    spec.a.push_back(xxhash64(&k, 8) >> 3), spec.b.push_back(xxhash64(&k, 8, 1) >> 3);
  Sketches sketches(spec);
  sketches.spelling = ascii();
  Texts texts;
  const std::vector<std::string> all{"the same words again", "no", "Quite another text this is",
                                     "THE SAME words. again", "quite another text this is"};
  for (const std::string& one : all) {
    texts.bytes.insert(texts.bytes.end(), one.begin(), one.end());
    texts.ends.push_back(static_cast<int64_t>(texts.bytes.size()));
  }
  std::vector<Sketched> became;
  std::vector<std::string> unknown;
  CHECK_EQ(sketches.add(context, text_kernels(&ops), texts, {40000, 1, 2, 3, 4}, became, unknown), LENSOR_OK);
  CHECK(became[1] == Sketched::kShort && became[0] == Sketched::kDone);
  for (const double least : {0.0, 0.9}) {
    std::vector<int32_t> first;
    CHECK_EQ(sketches.clusters(context, least, first), LENSOR_OK);
    CHECK_EQ(first.size(), 40001u);
    CHECK_EQ(first[40000], 3);
    CHECK_EQ(first[4], 2);
    CHECK_EQ(first[1], 1);
  }
}
