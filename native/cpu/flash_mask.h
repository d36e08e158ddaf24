// Who sees what in flash attention: the sequences of a call, which of a head's keys a query sees, and which
// parts of a tile [keys, queries] somebody sees at all. See vec.h for what this file may include.
#pragma once
#include "kernels.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

constexpr int64_t kSide = 64; // queries, or keys, in a block: cut at multiples of it within a sequence
constexpr int64_t kPart = 16; // keys, or queries, in a part of a tile: all of it is worked on or none

LENSOR_INLINE int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }

// One sequence of a call as the heads of one group see it. Query i sees the keys [low(i), high(i)), so key j
// is seen by the queries [first(j), end(j)).
struct Sequence {
  int64_t q0, queries, k0, keys, window;
  bool causal;

  int64_t high(int64_t i) const { return causal ? most(0, keys - queries + i + 1) : keys; }
  int64_t low(int64_t i) const { return window ? most(0, high(i) - window) : 0; }
  int64_t first(int64_t j) const { return causal ? j + queries - keys : 0; }
  int64_t end(int64_t j) const {
    if (!window) return INT64_MAX;
    return causal ? first(j) + window : j >= keys - window ? INT64_MAX : 0;
  }
  // Of the queries [i, i_end): does one see a key of [k, k_end); do all see all of them?
  bool touches(int64_t i, int64_t i_end, int64_t k, int64_t k_end) const {
    return k < high(i_end - 1) && k_end > low(i);
  }
  bool covers(int64_t i, int64_t i_end, int64_t k, int64_t k_end) const {
    return k_end <= high(i) && k >= low(i_end - 1);
  }
};

static inline Sequence sequence_of(const lensor_flash* f, int64_t n, int64_t group) {
  const int64_t keys = f->k_offsets[n + 1] - f->k_offsets[n];
  return {f->q_offsets[n], f->q_offsets[n + 1] - f->q_offsets[n],
          f->k_offsets[n], f->key_count ? f->key_count[n * f->kv_heads + group] : keys,
          f->window,       f->causal != 0};
}
LENSOR_INLINE int32_t group_of(const lensor_flash* f, int64_t h) {
  return (int32_t)(h * f->kv_heads / f->heads);
}

// A tile of a sequence's keys and queries.
struct Sight {
  Sequence s;
  int64_t key, keys, query, queries;
  bool whole; // everybody sees everything

  static Sight of(const Sequence& s, int64_t key, int64_t keys, int64_t query, int64_t queries) {
    return {s, key, keys, query, queries, s.covers(query, query + queries, key, key + keys)};
  }
  int64_t lanes() const { return padded(queries); }
  // f(keys from, to, lanes from, to) for what somebody sees, keys in order; all of it at once where it can
  // be.
  template <class F> void parts(const F& f) const {
    if (whole) return f(0, keys, 0, lanes());
    for (int64_t k = 0; k < keys; k += kPart) {
      const int64_t k_end = least(keys, k + kPart);
      const int64_t lane = most(0, s.first(key + k) - query) / kPart * kPart;
      const int64_t end = least(queries, most(0, s.end(key + k_end - 1) - query));
      if (lane < end) f(k, k_end, lane, padded(end));
    }
  }
  // f(keys from, to) for what the 16 queries from `lane` on see of it, if anything.
  template <class F> void down(int64_t lane, const F& f) const {
    if (whole) return f(0, keys);
    const int64_t from = most(0, s.low(query + lane) - key) / kPart * kPart;
    const int64_t to = least(keys, padded(most(0, s.high(query + lane + kPart - 1) - key)));
    if (from < to) f(from, to);
  }
};

// Added to the scores of key j and queries [i, i + 16): 0 where they see it, else -inf.
struct Mask {
  float below[32], from[32]; // 16 of -inf and 16 of 0, and the other way round
  Mask() {
    for (int i = 0; i < 32; i++) {
      below[i] = i < 16 ? -INFINITY : 0;
      from[i] = i < 16 ? 0 : -INFINITY;
    }
  }
  f32v at(const Sequence& s, int64_t j, int64_t i) const {
    return add(load(below + 16 - least(16, most(0, s.first(j) - i))),
               load(from + 16 - least(16, most(0, s.end(j) - i))));
  }
};

// The blocks of all sequences in one row.
struct Blocks {
  int64_t* first; // [sequences + 1]
  int64_t sequences;

  void count_in(int64_t* room, const int64_t* offsets, int64_t count, int64_t side) {
    first = room;
    sequences = count;
    first[0] = 0;
    for (int64_t n = 0; n < count; n++)
      first[n + 1] = first[n] + (offsets[n + 1] - offsets[n] + side - 1) / side;
  }
  int64_t count() const { return first[sequences]; }
  int64_t sequence(int64_t block) const {
    int64_t low = 0, high = sequences - 1;
    while (low < high) {
      const int64_t middle = (low + high + 1) / 2;
      if (first[middle] <= block)
        low = middle;
      else
        high = middle - 1;
    }
    return low;
  }
};

} // namespace lensor::LENSOR_ISA
