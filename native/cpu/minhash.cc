// The least values of many hash functions over one set of numbers: h_k = min over s of ((a_k s + b_k) mod
// 2^64) mod p with p = 2^61 - 1, which is what datatrove computes in wrapping 64-bit numbers.
#include "texts.h"
#include "vec.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int kLanes = 8;
typedef uint64_t u64v __attribute__((vector_size(8 * kLanes)));

// Two vectors of functions at a time: their chains of multiplications do not wait for each other.
LENSOR_INLINE void least(const uint64_t* numbers, int64_t n, const uint64_t* a, const uint64_t* b,
                         uint64_t* out) {
  const uint64_t p = (uint64_t{1} << 61) - 1;
  u64v a0, a1, b0, b1;
  memcpy(&a0, a, sizeof a0), memcpy(&a1, a + kLanes, sizeof a1);
  memcpy(&b0, b, sizeof b0), memcpy(&b1, b + kLanes, sizeof b1);
  u64v low0 = ~(u64v){}, low1 = ~(u64v){};
  for (int64_t i = 0; i < n; i++) {
    const u64v x0 = a0 * numbers[i] + b0, x1 = a1 * numbers[i] + b1;
    // At most p + 7; what lies above p wraps round to a large number where it is taken off too often.
    const u64v r0 = (x0 & p) + (x0 >> 61), r1 = (x1 & p) + (x1 >> 61), s0 = r0 - p, s1 = r1 - p;
    const u64v m0 = r0 < s0 ? r0 : s0, m1 = r1 < s1 ? r1 : s1;
    low0 = m0 < low0 ? m0 : low0, low1 = m1 < low1 ? m1 : low1;
  }
  memcpy(out, &low0, sizeof low0);
  memcpy(out + kLanes, &low1, sizeof low1);
}

void minhash(const uint64_t* numbers, int64_t n, const uint64_t* a, const uint64_t* b, int64_t functions,
             uint64_t* out) {
  int64_t k = 0;
  for (; k + 2 * kLanes <= functions; k += 2 * kLanes) least(numbers, n, a + k, b + k, out + k);
  if (k == functions) return;
  uint64_t as[2 * kLanes] = {}, bs[2 * kLanes] = {}, found[2 * kLanes];
  memcpy(as, a + k, (size_t)(functions - k) * 8);
  memcpy(bs, b + k, (size_t)(functions - k) * 8);
  least(numbers, n, as, bs, found);
  memcpy(out + k, found, (size_t)(functions - k) * 8);
}

} // namespace

extern const TextKernels texts;
const TextKernels texts = {.minhash = minhash};

} // namespace lensor::LENSOR_ISA
