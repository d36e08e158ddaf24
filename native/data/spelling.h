// A text as simple words: lower case, no accents, numbers as 0, no punctuation, one space between two words.
// What each character becomes, and which spellings are several words, is told from outside: this file knows
// no Unicode and no language. A spelling that was not told is named, and the text waits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lensor {

// What a code point is, in the low bits of its entry; kSeparator is a flag beside. Then the bytes that take
// its place: their number from bit 4 (0: the character itself) and where they stand from bit 8.
enum Spelt : uint32_t {
  kPlain = 0, // part of a word
  kHard = 1,  // part of a spelling that must be told
  kSpace = 2, // no word
  kDigit = 3, // part of a number
  kDropped = 4,
  kUnknown = 5, // a text with one is told apart from outside
  kKind = 7,
  kSeparator = 8, // between two digits, part of the number
};

struct Told {
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  using is_transparent = void;
};

struct Spelling {
  std::vector<uint32_t> entries; // by code point; one beyond is kPlain
  std::string replacements;

  // Of a spelling whose characters are all plain, and of any other: its words, with a space between two.
  void tell_plain(std::string_view spelt, std::string_view words);
  void tell(std::string_view spelt, std::string_view words);
  // Null where nobody told.
  const std::string* words_of(std::string_view spelt, bool hard) const;
  // What plain ASCII characters become, once `entries` stand: 0 for every other byte.
  void settle();
  unsigned char plain_ascii[256] = {};

  // Whether a plain word may be several: asked of every word, so it is quick and sometimes wrong.
  bool may_be_told(const char* word, size_t bytes) const {
    return bytes <= kLongest && (marks_[mark(word, bytes) >> 6] >> (mark(word, bytes) & 63) & 1);
  }

private:
  using Map = std::unordered_map<std::string, std::string, Told, std::equal_to<>>;
  static constexpr size_t kLongest = 16;
  static uint32_t mark(const char* word, size_t bytes) {
    const auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(word[i])); };
    return (at(0) * 31 + at(bytes / 2) * 131 + at(bytes - 1) * 17 + static_cast<uint32_t>(bytes) * 577) &
           4095;
  }
  Map plain_, known_;
  size_t known_bytes_ = 0;
  uint64_t marks_[64] = {};
};

// Scratch of one thread.
struct Words {
  std::vector<char> text;       // the words with a space behind each
  std::vector<uint32_t> starts; // of each word, and behind the last where the next would be
  std::vector<std::string> unknown;

  size_t count() const { return starts.size() - 1; }
  // Words i to i + n - 1, with the spaces between.
  std::string_view gram(size_t i, size_t n) const {
    return {text.data() + starts[i], starts[i + n] - starts[i] - 1};
  }
};

// False where the text has spellings that nobody told (`unknown` names them) or a character that only
// somebody else can judge (then it names none).
bool spell(const Spelling&, const char* text, size_t bytes, Words& out);

} // namespace lensor
