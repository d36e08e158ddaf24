// What this machine can do at most, for rooflines and as the yardstick beside every benchmark: multiply-adds
// that never leave the registers, and memory that is read once in order. Relies on the context's threads
// alone; computes nothing anybody wants.
#include "kernels.h"
#include "walk.h"
#include <time.h>

namespace lensor::LENSOR_ISA {

namespace {

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Enough chains that none waits for its own last result: two units of latency four, in whole vectors. A set
// of 16 registers holds no more.
#if defined(LENSOR_ISA_AVX512)
constexpr int kChains = 12;
#elif defined(LENSOR_ISA_AVX2)
constexpr int kChains = 5;
#else
constexpr int kChains = 10;
#endif
constexpr int kTurns = 4096; // some microseconds between looks at the clock

LENSOR_INLINE i32v add(i32v a, i32v b) { return addi(a, b); }
LENSOR_INLINE void from_seed(const float* p, f32v* v) { *v = load(p); }
LENSOR_INLINE void from_seed(const float* p, i32v* v) { *v = loadi(p); }

#if !defined(LENSOR_ISA_AVX512) && !defined(LENSOR_ISA_AVX2)
// What the compiler makes of sixteen lanes as an array is not the most that this set does; of four it is.
typedef float Lanes __attribute__((vector_size(16)));
LENSOR_INLINE Lanes add(Lanes a, Lanes b) { return a + b; }
LENSOR_INLINE Lanes fma(Lanes a, Lanes b, Lanes c) { return a * b + c; }
LENSOR_INLINE void from_seed(const float* p, Lanes* v) { memcpy(v, p, 16); }
LENSOR_INLINE float lane_max(Lanes a) { return a[0] + a[1] + a[2] + a[3]; }
#else
typedef f32v Lanes;
#endif

// Every chain and every lane starts elsewhere, or the compiler would compute equal ones once.
template <class Acc, class Step> Acc chains(const float* seeds, const Step& step) {
  Acc acc[kChains];
#pragma GCC unroll 16
  for (int c = 0; c < kChains; c++) from_seed(seeds + 16 * c, acc + c);
  for (int turn = 0; turn < kTurns; turn++)
#pragma GCC unroll 16
    for (int c = 0; c < kChains; c++) acc[c] = step(acc[c]);
#pragma GCC unroll 16
  for (int c = 1; c < kChains; c++) acc[0] = add(acc[0], acc[c]);
  return acc[0];
}

// Operations of one turn of one chain: each multiply-add counts two; 0 where the set has no such instruction.
double each_turn(int32_t dtype) {
  switch (dtype) {
  case LENSOR_F32:
    return 2 * sizeof(Lanes) / sizeof(float);
#if defined(LENSOR_ISA_AVX512BF16)
  case LENSOR_BF16:
    return 2 * 32;
#endif
#if defined(LENSOR_ISA_AVX512)
  case LENSOR_I8:
    return 2 * 64;
#endif
  default:
    return 0;
  }
}

// Seeds for kChains chains and two operands; what comes out goes where the compiler cannot see it unused.
void burn(int32_t dtype, const float* seeds, volatile float* kept) {
  const float *x = seeds + 16 * kChains, *y = x + 16;
  if (dtype == LENSOR_F32) {
    Lanes a, b;
    from_seed(x, &a), from_seed(y, &b);
    const auto step = [&](Lanes acc) __attribute__((always_inline)) { return fma(acc, a, b); };
    *kept = lane_max(chains<Lanes>(seeds, step));
  }
#if defined(LENSOR_ISA_AVX512BF16)
  if (dtype == LENSOR_BF16) {
    const i32v a = loadi(x), b = loadi(y);
    const auto step = [&](f32v acc) __attribute__((always_inline)) { return dot2(acc, a, b); };
    *kept = lane_max(chains<f32v>(seeds, step));
  }
#endif
#if defined(LENSOR_ISA_AVX512)
  if (dtype == LENSOR_I8) {
    const i32v a = loadi(x), b = loadi(y);
    const auto step = [&](i32v acc) __attribute__((always_inline)) { return dot4(acc, a, b); };
    *kept = lane_max(to_f32(chains<i32v>(seeds, step)));
  }
#endif
}

} // namespace

double probe_fma(lensor_context* context, int32_t dtype, double seconds) {
  const double each = each_turn(dtype);
  if (each == 0) return 0;
  struct Job {
    lensor_context* context;
    int32_t dtype;
    double end;
    int64_t rounds;
  } job{context, dtype, 0, 0};
  const double begin = now();
  job.end = begin + seconds;
  context->parallel(
      context, context->threads, 1,
      [](void* arg, int64_t begin, int64_t end, int32_t) {
        Job* job = (Job*)arg;
        float seeds[16 * (kChains + 2)];
        for (int i = 0; i < 16 * (kChains + 2); i++) seeds[i] = 0.25f + (float)i * 1e-3f;
        volatile float kept;
        // A part that comes late finds its time gone, and counts as the idle thread that it is.
        for (int64_t part = begin; part < end; part++) {
          int64_t rounds = 0;
          while ((part == 0 && rounds == 0) || now() < job->end) {
            if (job->context->interrupted(job->context)) break;
            burn(job->dtype, seeds, &kept);
            rounds++;
          }
          __atomic_fetch_add(&job->rounds, rounds, __ATOMIC_RELAXED);
        }
      },
      &job);
  return (double)job.rounds * kTurns * kChains * each / (now() - begin);
}

double probe_read(lensor_context* context, const void* data, size_t bytes) {
  const float* from = (const float*)data;
  const double begin = now();
  (void)in_chunks(context, (int64_t)(bytes / 256), 1 << 12, [=](int64_t at, int64_t end, int32_t) {
    f32v a = zero(), b = zero(), c = zero(), d = zero();
    for (; at < end; at++) {
      const float* p = from + at * 64;
      prefetch(p + 1024);
      a = vmax(a, load(p)), b = vmax(b, load(p + 16)), c = vmax(c, load(p + 32)), d = vmax(d, load(p + 48));
    }
    volatile float kept = lane_max(vmax(vmax(a, b), vmax(c, d)));
    (void)kept;
  });
  return (double)bytes / (now() - begin);
}

} // namespace lensor::LENSOR_ISA
