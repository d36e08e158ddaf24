#include "spelling.h"
#include <cstring>

namespace lensor {

namespace {

constexpr size_t kMostKnown = size_t{64} << 20;

// The code point at `at`, which moves behind it; bytes that are no UTF-8 are one U+FFFD each.
uint32_t next(const unsigned char*& at, const unsigned char* end) {
  const uint32_t first = *at++;
  if (first < 0x80) return first;
  const int more = first >= 0xf0 && first < 0xf5 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 0;
  if (more == 0 || first >= 0xf5 || end - at < more) return 0xfffd;
  uint32_t code = first & (0x3f >> more);
  for (int i = 0; i < more; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0xfffd;
    code = code << 6 | (at[i] & 0x3f);
  }
  at += more;
  return code;
}

} // namespace

void Spelling::tell_plain(std::string_view spelt, std::string_view words) {
  if (spelt.empty() || spelt.size() > kLongest) return;
  plain_.insert_or_assign(std::string(spelt), std::string(words));
  const uint32_t m = mark(spelt.data(), spelt.size());
  marks_[m >> 6] |= uint64_t{1} << (m & 63);
}

void Spelling::tell(std::string_view spelt, std::string_view words) {
  // Strangers' texts have no end of spellings: what was told can be asked for again.
  if (known_bytes_ > kMostKnown) known_.clear(), known_bytes_ = 0;
  known_bytes_ += spelt.size() + words.size() + sizeof(Map::value_type);
  known_.insert_or_assign(std::string(spelt), std::string(words));
}

void Spelling::settle() {
  std::memset(plain_ascii, 0, sizeof plain_ascii);
  for (uint32_t code = 0; code < 128 && code < entries.size(); code++) {
    const uint32_t entry = entries[code], length = entry >> 4 & 15;
    if ((entry & kKind) != kPlain || length > 1) continue;
    plain_ascii[code] = length ? static_cast<unsigned char>(replacements[entry >> 8]) : code;
  }
}

const std::string* Spelling::words_of(std::string_view spelt, bool hard) const {
  const Map& map = hard ? known_ : plain_;
  const auto found = map.find(spelt);
  return found == map.end() ? nullptr : &found->second;
}

bool spell(const Spelling& spelling, const char* text, size_t bytes, Words& out) {
  const auto* at = reinterpret_cast<const unsigned char*>(text);
  const unsigned char* const end = at + bytes;
  const uint32_t* entries = spelling.entries.data();
  const size_t known_codes = spelling.entries.size();
  out.starts.clear();
  out.unknown.clear();
  // A byte becomes at most a few: room is looked after for every character that is replaced.
  if (out.text.size() < 2 * bytes + 64) out.text.resize(2 * bytes + 64);
  char* to = out.text.data();
  size_t start = 0, size = 0;
  bool hard = false;

  const auto room = [&](size_t more) {
    if (size + more + (end - at) + 64 <= out.text.size()) return;
    out.text.resize(2 * (size + more + (end - at)) + 64);
    to = out.text.data();
  };
  const auto close = [&] {
    if (size == start) return;
    if (hard || spelling.may_be_told(to + start, size - start)) {
      if (const std::string* told = spelling.words_of({to + start, size - start}, hard)) {
        const std::string& words = *told;
        size = start;
        room(words.size());
        std::memcpy(to + size, words.data(), words.size());
        out.starts.push_back(static_cast<uint32_t>(start));
        for (size_t i = 0; i < words.size(); i++)
          if (words[i] == ' ') out.starts.push_back(static_cast<uint32_t>(start + i + 1));
        size += words.size();
      } else if (hard) {
        out.unknown.emplace_back(to + start, size - start);
        size = start;
        hard = false;
        return;
      } else
        out.starts.push_back(static_cast<uint32_t>(start));
    } else
      out.starts.push_back(static_cast<uint32_t>(start));
    to[size++] = ' ';
    start = size;
    hard = false;
  };

  while (at < end) {
    while (const unsigned char plain = spelling.plain_ascii[*at]) {
      to[size++] = static_cast<char>(plain);
      if (++at == end) break;
    }
    if (at == end) break;
    const unsigned char* const begin = at;
    const uint32_t code = next(at, end);
    const uint32_t entry = code < known_codes ? entries[code] : 0u;
    const uint32_t kind = entry & kKind, length = entry >> 4 & 15;
    if (kind <= kHard) {
      hard |= kind == kHard;
      if (length == 1) {
        to[size++] = spelling.replacements[entry >> 8];
      } else if (length) {
        room(length);
        std::memcpy(to + size, spelling.replacements.data() + (entry >> 8), length);
        size += length;
      } else {
        const bool broken = code == 0xfffd && at - begin != 3;
        const auto* from = broken ? reinterpret_cast<const unsigned char*>("\xef\xbf\xbd") : begin;
        const size_t many = broken ? 3 : at - begin;
        if (broken) room(many);
        for (size_t i = 0; i < many; i++) to[size++] = static_cast<char>(from[i]);
      }
    } else if (kind == kSpace) {
      close();
    } else if (kind == kDigit) {
      const auto digits = [&](const unsigned char* from) {
        while (from < end) {
          const unsigned char* after = from;
          const uint32_t one = next(after, end);
          if (one >= known_codes || (entries[one] & kKind) != kDigit) break;
          from = after;
        }
        return from;
      };
      at = digits(at);
      if (at < end) {
        const unsigned char* after = at;
        const uint32_t mark = next(after, end);
        if (mark < known_codes && entries[mark] & kSeparator) {
          const unsigned char* behind = digits(after);
          if (behind != after) at = behind;
        }
      }
      to[size++] = '0';
      hard = true;
    } else if (kind == kUnknown) {
      return out.unknown.clear(), false;
    }
  }
  close();
  out.starts.push_back(static_cast<uint32_t>(start));
  return out.unknown.empty();
}

} // namespace lensor
