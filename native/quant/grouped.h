// Where the bits of grouped integers stand. A stored row has for each group
//   f16 scale [, f16 minimum], then the codes of b bits each, the first column's lowest
//   w = scale (code - 2^(b - 1)),  or  scale code + minimum
// In a panel (panel.h) 32 columns of a row are b words. Column 16 h + 4 j + t stands in byte t of one word or
// two, at the same place for every t, so that a shift and a mask bring four columns of 16 rows to bytes:
//   2 bits   word j % 2, bits 4 h + 2 (j / 2)
//   3 bits   word j, bits 3 h; of j = 3 the lower two bits are bits 6 and 7 of word h, the third is bit 6 + h
//            of word 2
//   4 bits   word j, bits 4 h
//   5 bits   the same, and the fifth bit is bit 4 h + j of word 4
//   6 bits   the same, and the upper two stand as the codes of 2 bits do, in words 4 and 5
//   8 bits   word 4 h + j, less 128 as signed bytes
// Internal linkage throughout: the kernels of each instruction set include it (cpu/vec.h says why).
#pragma once
#include <stdint.h>

namespace lensor {

// Bits [from, from + log2(mask + 1)) of a code, at `shift` of a byte of a word.
struct CodePiece {
  int word, shift, from;
  uint32_t mask;
};
struct CodePlace {
  CodePiece pieces[2];
  int count;
};

static constexpr CodePlace code_place(int bits, int h, int j) {
  const int two = 4 * h + 2 * (j / 2);
  switch (bits) {
  case 2:
    return {{{j % 2, two, 0, 3}}, 1};
  case 3:
    if (j == 3) return {{{h, 6, 0, 3}, {2, 6 + h, 2, 1}}, 2};
    return {{{j, 3 * h, 0, 7}}, 1};
  case 4:
    return {{{j, 4 * h, 0, 15}}, 1};
  case 5:
    return {{{j, 4 * h, 0, 15}, {4, 4 * h + j, 4, 1}}, 2};
  case 6:
    return {{{j, 4 * h, 0, 15}, {4 + j % 2, two, 4, 3}}, 2};
  default:
    return {{{4 * h + j, 0, 0, 255}}, 1};
  }
}

struct CodePlaces {
  CodePlace of[2][4];
  uint32_t flipped; // of every word
};

static constexpr CodePlaces code_places(int bits) {
  CodePlaces all{};
  for (int h = 0; h < 2; h++)
    for (int j = 0; j < 4; j++) all.of[h][j] = code_place(bits, h, j);
  all.flipped = bits == 8 ? 0x80808080 : 0;
  return all;
}

// 32 codes of `bits` bits each, the first lowest, from or to 4 `bits` bytes.
static inline void read_codes(const uint8_t* from, int bits, uint8_t* codes) {
  uint32_t held = 0;
  for (int i = 0, have = 0; i < 32; i++, have -= bits, held >>= bits) {
    if (have < bits) held |= static_cast<uint32_t>(*from++) << have, have += 8;
    codes[i] = static_cast<uint8_t>(held & ((1u << bits) - 1));
  }
}
static inline void write_codes(const uint8_t* codes, int bits, uint8_t* to) {
  uint32_t held = 0;
  for (int i = 0, have = 0; i < 32; i++) {
    held |= static_cast<uint32_t>(codes[i]) << have;
    for (have += bits; have >= 8; have -= 8, held >>= 8) *to++ = static_cast<uint8_t>(held);
  }
}

// The codes of 32 columns of a row to the words of a panel, and back.
static inline void codes_to_words(const CodePlaces& places, int bits, const uint8_t* codes, uint32_t* words) {
  for (int w = 0; w < bits; w++) words[w] = places.flipped;
  for (int i = 0; i < 32; i++) {
    const CodePlace& place = places.of[i / 16][i % 16 / 4];
    for (int p = 0; p < place.count; p++) {
      const CodePiece& piece = place.pieces[p];
      words[piece.word] ^= (codes[i] >> piece.from & piece.mask) << (8 * (i % 4) + piece.shift);
    }
  }
}
static inline void words_to_codes(const CodePlaces& places, const uint32_t* words, uint8_t* codes) {
  for (int i = 0; i < 32; i++) {
    const CodePlace& place = places.of[i / 16][i % 16 / 4];
    codes[i] = 0;
    for (int p = 0; p < place.count; p++) {
      const CodePiece& piece = place.pieces[p];
      const uint32_t word = words[piece.word] ^ places.flipped;
      codes[i] |= static_cast<uint8_t>((word >> (8 * (i % 4) + piece.shift) & piece.mask) << piece.from);
    }
  }
}

} // namespace lensor
