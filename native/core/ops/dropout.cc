// Dropout (Srivastava et al. 2014): each value goes on with probability 1 - rate, and then counts 1 / (1 -
// rate).
//   out = keep * x / (1 - rate),   dx = keep * g / (1 - rate)
// keep[i] is word i % 4 of Philox block i / 4 of a seed's stream (lib/tensor/random.ts has the same), so that
// it belongs to the element and is not kept for the gradient but made again. Params: rate, seed.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"
#include <cmath>
#include <cstring>

namespace lensor::ops {

namespace {

void check_dropout(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1 && call.params.size() == 2);
  const lensor_view &x = call.in[0].view, &out = call.out[0].view;
  need((x.dtype == LENSOR_F32 || x.dtype == LENSOR_BF16) && x.dtype == out.dtype && same_shape(x, out) &&
       is_contiguous(x) && is_contiguous(out));
  need(call.params[0] >= 0 && call.params[0] < 1 && call.params[1] >= 0 && call.params[1] < 0x1p53);
}

void philox(uint64_t counter, uint64_t seed, uint32_t* out) {
  uint32_t a = static_cast<uint32_t>(counter), b = static_cast<uint32_t>(counter >> 32), c = 0, d = 0;
  uint32_t k = static_cast<uint32_t>(seed), l = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p = uint64_t{0xd2511f53} * a, q = uint64_t{0xcd9e8d57} * c;
    a = static_cast<uint32_t>(q >> 32) ^ b ^ k, c = static_cast<uint32_t>(p >> 32) ^ d ^ l;
    b = static_cast<uint32_t>(q), d = static_cast<uint32_t>(p);
    k += 0x9e3779b9, l += 0xbb67ae85;
  }
  out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

float wide(uint16_t x) {
  const uint32_t bits = uint32_t{x} << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// To the nearest, ties to even; what is no number stays none.
uint16_t narrow(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (x != x) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

struct Job {
  const lensor_view *x, *out;
  uint64_t seed, count;
  uint32_t dropped; // of 2^24
  float scale;
};

// Philox blocks [begin, end).
void drop(void* arg, int64_t begin, int64_t end, int32_t) {
  const Job& job = *static_cast<const Job*>(arg);
  uint32_t words[4];
  for (int64_t block = begin; block < end; block++) {
    philox(static_cast<uint64_t>(block), job.seed, words);
    for (uint64_t i = 4 * block; i < job.count && i < 4 * static_cast<uint64_t>(block) + 4; i++) {
      const bool keep = words[i % 4] >> 8 >= job.dropped;
      if (job.x->dtype == LENSOR_F32) {
        static_cast<float*>(job.out->data)[i] = keep ? static_cast<float*>(job.x->data)[i] * job.scale : 0;
      } else {
        const uint16_t from = static_cast<uint16_t*>(job.x->data)[i];
        static_cast<uint16_t*>(job.out->data)[i] = keep ? narrow(wide(from) * job.scale) : 0;
      }
    }
  }
}

lensor_status run_dropout(const Running& r) {
  const auto count = static_cast<uint64_t>(count_of(r.out[0]));
  const double rate = r.param(0);
  Job job{&r.in[0],
          &r.out[0],
          static_cast<uint64_t>(r.param(1)),
          count,
          static_cast<uint32_t>(std::ceil(rate * 0x1p24)),
          static_cast<float>(1 / (1 - rate))};
  r.context->parallel(r.context, static_cast<int64_t>((count + 3) / 4), 1 << 12, drop, &job);
  return r.context->interrupted(r.context) ? LENSOR_INTERRUPTED : LENSOR_OK;
}

void dropout_gradient(Backward& b) {
  const Tensor g = contiguous(b.grad());
  b.give(0, invoke(kDropout, {g}, {b.param(0), b.param(1)}, g.dtype(), g.shape()));
}

} // namespace

const Op kDropout{.name = "dropout",
                  .check = check_dropout,
                  .run = run_dropout,
                  .gradient = dropout_gradient,
                  .keeps = [](const Call&) { return kInput; },
                  .cheap = true};

} // namespace lensor::ops
