#include "hash.h"
#include <bit>
#include <cstring>

namespace lensor {

namespace {

constexpr uint64_t kPrimes[] = {0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                                0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5};

uint64_t eight(const unsigned char* at) {
  uint64_t value;
  std::memcpy(&value, at, 8);
  return value;
}

uint64_t round(uint64_t lane, uint64_t input) {
  return std::rotl(lane + input * kPrimes[1], 31) * kPrimes[0];
}

uint64_t merge(uint64_t hash, uint64_t lane) { return (hash ^ round(0, lane)) * kPrimes[0] + kPrimes[3]; }

} // namespace

static_assert(std::endian::native == std::endian::little);

uint64_t xxhash64(const void* data, size_t bytes, uint64_t seed) {
  const auto* at = static_cast<const unsigned char*>(data);
  const unsigned char* const end = at + bytes;
  uint64_t hash = seed + kPrimes[4];
  if (bytes >= 32) {
    uint64_t a = seed + kPrimes[0] + kPrimes[1], b = seed + kPrimes[1], c = seed, d = seed - kPrimes[0];
    for (; end - at >= 32; at += 32) {
      a = round(a, eight(at)), b = round(b, eight(at + 8));
      c = round(c, eight(at + 16)), d = round(d, eight(at + 24));
    }
    hash = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
    hash = merge(merge(merge(merge(hash, a), b), c), d);
  }
  hash += bytes;
  for (; end - at >= 8; at += 8) hash = std::rotl(hash ^ round(0, eight(at)), 27) * kPrimes[0] + kPrimes[3];
  if (end - at >= 4) {
    uint32_t four;
    std::memcpy(&four, at, 4);
    hash = std::rotl(hash ^ four * kPrimes[0], 23) * kPrimes[1] + kPrimes[2];
    at += 4;
  }
  for (; at < end; at++) hash = std::rotl(hash ^ *at * kPrimes[4], 11) * kPrimes[0];
  hash = (hash ^ hash >> 33) * kPrimes[1];
  hash = (hash ^ hash >> 29) * kPrimes[2];
  return hash ^ hash >> 32;
}

} // namespace lensor
