// In what order the gradients of flash attention go through squares of tiles [keys, queries]. A square comes
// after the one before it in its row (the same queries, earlier keys) and in its column (the same keys,
// earlier queries), so every sum has one order, whoever works on what. Squares with the same a + b share
// nothing; a thread that comes to one whose neighbours are still under way waits for them.
#pragma once
#include "flash_mask.h"
#include "team.h"

namespace lensor::LENSOR_ISA {

// Keys [a, a + 1) and queries [b, b + 1), in sides, of the heads of one group.
struct Square {
  int64_t n, a, b;
  int32_t group;
};

// How a call is cut. `at` finds squares one after the other, by growing a + b.
struct Squares {
  const lensor_flash* f;
  int64_t side;

  int64_t across(const Sequence& s) const { return (s.queries + side - 1) / side; }
  int64_t down(const Sequence& s) const { return (s.keys + side - 1) / side; }
  bool touched(const Sequence& s, int64_t a, int64_t b) const {
    return a >= 0 && b >= 0 &&
           s.touches(b * side, least(s.queries, (b + 1) * side), a * side, least(s.keys, (a + 1) * side));
  }
  int64_t turns() const {
    int64_t most_turns = 0;
    for (int64_t n = 0; n < f->sequences; n++)
      for (int32_t g = 0; g < f->kv_heads; g++) {
        const Sequence s = sequence_of(f, n, g);
        if (s.queries && s.keys) most_turns = most(most_turns, across(s) + down(s) - 1);
      }
    return most_turns;
  }
  // visit(square) for the squares of one turn, a + b = turn, until it says no.
  template <class F> bool each(int64_t turn, const F& visit) const {
    for (int64_t n = 0; n < f->sequences; n++)
      for (int32_t g = 0; g < f->kv_heads; g++) {
        const Sequence s = sequence_of(f, n, g);
        for (int64_t a = most(0, turn - across(s) + 1); a < down(s) && a <= turn; a++)
          if (touched(s, a, turn - a) && !visit(Square{n, a, turn - a, g})) return false;
      }
    return true;
  }
};

// The queries that each column of squares has behind it.
struct Progress {
  int64_t* done; // [kv_heads][columns()]

  static int64_t columns(const Squares& q) {
    return q.f->k_offsets[q.f->sequences] / q.side + q.f->sequences + 1;
  }
  int64_t* of(const Squares& q, const Square& at, int64_t a) const {
    return done + at.group * columns(q) + q.f->k_offsets[at.n] / q.side + at.n + a;
  }
  bool reaches(const Squares& q, const Square& at, int64_t a, int64_t b) const {
    return __atomic_load_n(of(q, at, a), __ATOMIC_ACQUIRE) >= b;
  }
};

// work(square) for those that fall to this thread; all threads of the team call it together. A square is
// taken after those that it waits for, so somebody is at work on them.
template <class F> void in_order(Team* team, const Squares& q, const Progress& progress, const F& work) {
  int64_t index = 0, mine = __atomic_fetch_add(&team->next, 1, __ATOMIC_RELAXED);
  const auto visit = [&](const Square& at) {
    if (index++ != mine) return true;
    const Sequence s = sequence_of(q.f, at.n, at.group);
    const bool above = q.touched(s, at.a, at.b - 1), left = q.touched(s, at.a - 1, at.b);
    for (int spins = 0; (above && !progress.reaches(q, at, at.a, at.b)) ||
                        (left && !progress.reaches(q, at, at.a - 1, at.b + 1));
         spins++) {
      if (__atomic_load_n(&team->stopped, __ATOMIC_RELAXED)) return false;
      pause_briefly(spins);
    }
    if (stopping(team)) return false;
    work(at);
    __atomic_store_n(progress.of(q, at, at.a), at.b + 1, __ATOMIC_RELEASE);
    mine = __atomic_fetch_add(&team->next, 1, __ATOMIC_RELAXED);
    return true;
  };
  const int64_t turns = q.turns();
  for (int64_t turn = 0; turn < turns; turn++)
    if (!q.each(turn, visit)) return;
}

} // namespace lensor::LENSOR_ISA
