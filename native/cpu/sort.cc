// Rows sorted with their indices, stable: by radix, eight bits at a time, on integers in the order of the
// values. Threads share out rows. Equal are the two zeros, and all NaN, which count as the largest.
#include "kernels.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int64_t kFew = 48;                // so many are sorted by insertion
constexpr int64_t kMany = (int64_t)1 << 16; // of a longer row, so many between two looks for an interrupt

// Unsigned integers in the order of floats: the bits of what is negative turned over. `infinity` is its bits.
template <class U> U float_key(U bits, U infinity) {
  const U sign = (U)((U)1 << (8 * sizeof(U) - 1)), size = (U)(bits & (U)~sign);
  if (size > infinity) return (U) ~(U)0;
  if (size == 0) return sign;
  return bits & sign ? (U)~bits : (U)(bits | sign);
}

struct F32 {
  using Key = uint32_t;
  static Key key(uint32_t bits) { return float_key<uint32_t>(bits, 0x7f800000); }
};
struct F16 {
  using Key = uint16_t;
  static Key key(uint16_t bits) { return float_key<uint16_t>(bits, 0x7c00); }
};
struct Bf16 {
  using Key = uint16_t;
  static Key key(uint16_t bits) { return float_key<uint16_t>(bits, 0x7f80); }
};
template <class U> struct Signed {
  using Key = U;
  static Key key(U bits) { return (U)(bits ^ (U)((U)1 << (8 * sizeof(U) - 1))); }
};
struct Unsigned {
  using Key = uint8_t;
  static Key key(uint8_t bits) { return bits; }
};

template <class Key, class Index> struct Item {
  Key key;
  Index index;
};

template <class T> void insertion(T* items, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    const T moved = items[i];
    int64_t at = i;
    for (; at > 0 && items[at - 1].key > moved.key; at--) items[at] = items[at - 1];
    items[at] = moved;
  }
}

// body(begin, end) for stretches of a row of n; false if interrupted.
template <class F> bool in_stretches(lensor_context* context, int64_t n, const F& body) {
  for (int64_t at = 0; at < n; at += kMany) {
    if (at > 0 && context->interrupted(context)) return false;
    body(at, least(n, at + kMany));
  }
  return true;
}

// Sorts `items`, using as many `others`; returns whichever of the two ends up sorted, NULL if interrupted.
template <class T> T* radix(lensor_context* context, T* items, T* others, int64_t n) {
  constexpr int kDigits = (int)sizeof(items->key);
  int64_t counts[kDigits][256] = {};
  const auto count_keys = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      for (int digit = 0; digit < kDigits; digit++) counts[digit][(items[i].key >> (8 * digit)) & 255]++;
  };
  if (!in_stretches(context, n, count_keys)) return nullptr;
  for (int digit = 0; digit < kDigits; digit++) {
    if (counts[digit][(items[0].key >> (8 * digit)) & 255] == n) continue;
    int64_t begin = 0;
    for (int64_t& count : counts[digit]) {
      const int64_t here = count;
      count = begin;
      begin += here;
    }
    const auto place = [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; i++)
        others[counts[digit][(items[i].key >> (8 * digit)) & 255]++] = items[i];
    };
    if (!in_stretches(context, n, place)) return nullptr;
    T* swapped = items;
    items = others;
    others = swapped;
  }
  return items;
}

template <class Kind, class Index> lensor_status sort_as(lensor_context* context, const lensor_view* x,
                                                         const lensor_view* values,
                                                         const lensor_view* indices, bool descending) {
  using Key = typename Kind::Key;
  using T = Item<Key, Index>;
  const int64_t n = x->shape[x->rank - 1], rows = elements(x) / n;
  const Key turn = descending ? (Key) ~(Key)0 : 0;
  int32_t failed = LENSOR_OK;
  // Room for as many rows as are sorted at a time: one of a thread's own, or of each stretch of rows.
  const int64_t grain = most(1, kGrain / n), stretches = (rows + grain - 1) / grain;
  const bool few = stretches <= context->threads;
  Scratch scratch(context);
  T* all = scratch.take<T>(2 * n * (few ? stretches : context->threads));
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  const lensor_status status = in_chunks(context, rows, grain, [&](int64_t begin, int64_t end, int thread) {
    T* items = all + 2 * n * (few ? begin / grain : thread);
    for (int64_t row = begin; row < end; row++) {
      const Key* from = (const Key*)x->data + row * n;
      Key* to = (Key*)values->data + row * n;
      int64_t* which = (int64_t*)indices->data + row * n;
      T* sorted = items;
      const auto fill = [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) items[i] = {(Key)(Kind::key(from[i]) ^ turn), (Index)i};
      };
      const auto write = [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
          which[i] = (int64_t)sorted[i].index;
          to[i] = from[which[i]];
        }
      };
      bool whole = in_stretches(context, n, fill);
      if (whole && n <= kFew)
        insertion(items, n);
      else if (whole)
        whole = (sorted = radix(context, items, items + n, n)) != nullptr;
      if (!whole || !in_stretches(context, n, write)) {
        __atomic_store_n(&failed, LENSOR_INTERRUPTED, __ATOMIC_RELAXED);
        break;
      }
    }
  });
  return status != LENSOR_OK ? status : (lensor_status)failed;
}

template <class Kind> lensor_status sort_any(lensor_context* context, const lensor_view* x,
                                             const lensor_view* values, const lensor_view* indices,
                                             bool descending) {
  if (elements(x) == 0) return LENSOR_OK;
  return x->shape[x->rank - 1] <= UINT32_MAX
             ? sort_as<Kind, uint32_t>(context, x, values, indices, descending)
             : sort_as<Kind, uint64_t>(context, x, values, indices, descending);
}

} // namespace

lensor_status sort(lensor_context* context, const lensor_view* x, const lensor_view* values,
                   const lensor_view* indices, int32_t descending) {
  const bool down = descending != 0;
  switch (x->dtype) {
  case LENSOR_F32:
    return sort_any<F32>(context, x, values, indices, down);
  case LENSOR_F16:
    return sort_any<F16>(context, x, values, indices, down);
  case LENSOR_BF16:
    return sort_any<Bf16>(context, x, values, indices, down);
  case LENSOR_I8:
    return sort_any<Signed<uint8_t>>(context, x, values, indices, down);
  case LENSOR_I32:
    return sort_any<Signed<uint32_t>>(context, x, values, indices, down);
  case LENSOR_I64:
    return sort_any<Signed<uint64_t>>(context, x, values, indices, down);
  default:
    return sort_any<Unsigned>(context, x, values, indices, down);
  }
}

} // namespace lensor::LENSOR_ISA
