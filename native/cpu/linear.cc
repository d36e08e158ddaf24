// out = x W^T for rows of activations and panels of weights (quant/panel.h).
//
// Exact: acc = fma(w[k], x[k], acc) over k in order, w dequantized, one lane an output.
// Fast:  for each block the integer sums s of q_w q_x, then acc += d_w sum(d_x s) (+ m_w sum(d_x q_x) for a
// minimum), blocks
//        in order.
// Both do the same for one row and for many: only how many rows share a load of the weights differs.
#include "../quant/panel.h"
#include "kernels.h"
#include "unpack.h"
#include <stdlib.h>

namespace lensor::LENSOR_ISA {

namespace {

#if defined(LENSOR_ISA_AVX512)
constexpr int kExactRows = 12; // accumulators of a tile: one zmm a row
#else
constexpr int kExactRows = 6; // two ymm a row
#endif
constexpr int kFastRows = 4;
constexpr int kSlab = 128;     // columns unpacked at a time: 8 KiB, which stays in the nearest cache
constexpr int kRowBlock = 120; // rows whose accumulators wait between slabs

// Loops over the rows of a tile are unrolled early, or their accumulators would live on the stack.
#define LENSOR_ROWS(r) _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)

LENSOR_INLINE void put(float* out, f32v acc, int n, int accumulate) {
  if (n == LENSOR_PANEL) return store(out, accumulate ? add(load(out), acc) : acc);
  store_part(out, accumulate ? add(load_part(out, n, 0), acc) : acc, n);
}

// ---------------------------------------------------------------- exact
template <int R> void exact_tile(const float* w, const float* x, int64_t stride, int n, float* acc) {
  f32v a[R];
  LENSOR_ROWS(r) a[r] = load(acc + 16 * r);
  for (int k = 0; k < n; k++) {
    const f32v v = load(w + 16 * k);
    LENSOR_ROWS(r) a[r] = fma(v, set1(x[r * stride + k]), a[r]);
  }
  LENSOR_ROWS(r) store(acc + 16 * r, a[r]);
}

template <int R> struct ExactRows {
  static void run(int64_t rows, const float* w, const float* x, int64_t stride, int n, float* acc) {
    for (; rows >= R; rows -= R, x += R * stride, acc += 16 * R) exact_tile<R>(w, x, stride, n, acc);
    if (rows > 0) ExactRows<R - 1>::run(rows, w, x, stride, n, acc);
  }
};
template <> struct ExactRows<0> {
  static void run(int64_t, const float*, const float*, int64_t, int, float*) {}
};

void exact_panel(const lensor_activations* x, const lensor_linear* job, int64_t panel) {
  const lensor_weight* weight = job->weight;
  const uint8_t* p = (const uint8_t*)weight->data + panel * panel_bytes(weight->dtype, weight->cols);
  const int64_t left = weight->rows - panel * LENSOR_PANEL;
  const int n = (int)(left < LENSOR_PANEL ? left : LENSOR_PANEL);
  float values[kSlab * LENSOR_PANEL], acc[kRowBlock * LENSOR_PANEL];
  for (int64_t row = 0; row < x->rows; row += kRowBlock) {
    const int64_t rows = x->rows - row < kRowBlock ? x->rows - row : kRowBlock;
    memset(acc, 0, (size_t)rows * 64);
    for (int64_t k = 0; k < weight->cols; k += kSlab) {
      const int some = (int)(weight->cols - k < kSlab ? weight->cols - k : kSlab);
      for (int i = 0; i < some; i += LENSOR_BLOCK)
        unpack(weight->dtype, p, k + i, some - i < LENSOR_BLOCK ? some - i : LENSOR_BLOCK, values + 16 * i);
      ExactRows<kExactRows>::run(rows, values, x->f32 + row * x->cols + k, x->cols, some, acc);
    }
    for (int64_t r = 0; r < rows; r++)
      put(job->out + (row + r) * job->out_stride + panel * LENSOR_PANEL, load(acc + 16 * r), n,
          job->accumulate);
  }
}

// ---------------------------------------------------------------- fast
LENSOR_INLINE i32v four(const void* q) {
  int32_t bytes;
  memcpy(&bytes, q, 4);
  return set1i(bytes);
}

// 4-bit weights and 8-bit activations. Half a block at a time: its low nibbles are 16 columns, its high ones
// the next 16.
template <int T, int R> void tile_q4(const uint8_t* p, const lensor_activations* x, int64_t row,
                                     const lensor_linear* job, float* out, int n) {
  const int64_t cols = x->cols, blocks = cols / LENSOR_BLOCK;
  const int8_t* q = x->q8 + row * cols;
  const float* scale = x->scale8 + row * blocks * 2;
  const float* total = x->total8 + row * blocks;
  const i32v low = set1i(0x0f0f0f0f);
  f32v acc[R];
  LENSOR_ROWS(r) acc[r] = zero();
  for (int64_t b = 0; b < blocks; b++, q += LENSOR_BLOCK) {
    const f32v d = load_f16((const uint16_t*)p);
    const f32v m = T == LENSOR_Q4_1 ? load_f16((const uint16_t*)(p + 32)) : mul(d, set1(-8));
    p += T == LENSOR_Q4_1 ? 64 : 32;
    f32v sum[R];
    LENSOR_ROWS(r) sum[r] = zero();
    for (int half = 0; half < 2; half++) {
      i32v s[R];
      LENSOR_ROWS(r) s[r] = zeroi();
      _Pragma("GCC unroll 4") for (int j = 0; j < 4; j++) {
        const i32v w = loadi(p + 64 * j), nibbles = andi(half ? shr<4>(w) : w, low);
        LENSOR_ROWS(r) s[r] = dot4(s[r], nibbles, four(q + r * cols + 16 * half + 4 * j));
      }
      LENSOR_ROWS(r) { sum[r] = fma(to_f32(sum4(s[r])), set1(scale[r * blocks * 2 + 2 * b + half]), sum[r]); }
    }
    p += 256;
    if (R == 1) prefetch(p + 1280);
    LENSOR_ROWS(r) acc[r] = add(acc[r], fma(d, sum[r], mul(m, set1(total[r * blocks + b]))));
  }
  LENSOR_ROWS(r) put(out + (row + r) * job->out_stride, acc[r], n, job->accumulate);
}

// 8-bit weights and 16-bit activations.
template <int R> void tile_q8(const uint8_t* p, const lensor_activations* x, int64_t row,
                              const lensor_linear* job, float* out, int n) {
  const int64_t cols = x->cols, blocks = cols / LENSOR_BLOCK;
  const int16_t* q = x->q16 + row * cols;
  const float* scale = x->scale16 + row * blocks;
  f32v acc[R];
  LENSOR_ROWS(r) acc[r] = zero();
  for (int64_t b = 0; b < blocks; b++, q += LENSOR_BLOCK) {
    const f32v d = load_f16((const uint16_t*)p);
    p += 32;
    i32v s[R];
    LENSOR_ROWS(r) s[r] = zeroi();
    _Pragma("GCC unroll 8") for (int j = 0; j < 8; j++, p += 64) {
      const i32v w = loadi(p), even = even16(w), odd = odd16(w);
      LENSOR_ROWS(r) {
        s[r] = dot16(s[r], even, four(q + r * cols + 4 * j));
        s[r] = dot16(s[r], odd, four(q + r * cols + 4 * j + 2));
      }
    }
    if (R == 1) prefetch(p + 1280);
    LENSOR_ROWS(r) acc[r] = fma(to_f32(s[r]), mul(d, set1(scale[r * blocks + b])), acc[r]);
  }
  LENSOR_ROWS(r) put(out + (row + r) * job->out_stride, acc[r], n, job->accumulate);
}

template <int T, int R> void fast_tile(const uint8_t* p, const lensor_activations* x, int64_t row,
                                       const lensor_linear* job, float* out, int n) {
  if constexpr (T == LENSOR_Q8_0)
    tile_q8<R>(p, x, row, job, out, n);
  else
    tile_q4<T, R>(p, x, row, job, out, n);
}

template <int T> void fast_panel(const lensor_activations* x, const lensor_linear* job, int64_t panel) {
  const lensor_weight* weight = job->weight;
  const uint8_t* p = (const uint8_t*)weight->data + panel * panel_bytes(T, weight->cols);
  const int64_t left = weight->rows - panel * LENSOR_PANEL;
  const int n = (int)(left < LENSOR_PANEL ? left : LENSOR_PANEL);
  float* out = job->out + panel * LENSOR_PANEL;
  int64_t row = 0;
  for (; row + kFastRows <= x->rows; row += kFastRows) fast_tile<T, kFastRows>(p, x, row, job, out, n);
  for (; row < x->rows; row++) fast_tile<T, 1>(p, x, row, job, out, n);
}

struct Jobs {
  lensor_context* context;
  const lensor_activations* x;
  const lensor_linear* jobs;
  int32_t count;
};

int64_t panels_of(const lensor_weight* weight) { return (weight->rows + LENSOR_PANEL - 1) / LENSOR_PANEL; }

void panels(void* arg, int64_t begin, int64_t end, int32_t) {
  const Jobs* all = (const Jobs*)arg;
  int64_t first = 0;
  for (int32_t i = 0; i < all->count; i++) {
    const lensor_linear* job = all->jobs + i;
    const int64_t count = panels_of(job->weight);
    for (int64_t p = begin > first ? begin - first : 0; p < count && first + p < end; p++) {
      if (all->context->interrupted(all->context)) return;
      const int32_t dtype = job->weight->dtype;
      if (dtype == LENSOR_Q8_0 ? !all->x->q16 : !all->x->q8 || !is_quantized(dtype))
        exact_panel(all->x, job, p);
      else if (dtype == LENSOR_Q4_0)
        fast_panel<LENSOR_Q4_0>(all->x, job, p);
      else if (dtype == LENSOR_Q4_1)
        fast_panel<LENSOR_Q4_1>(all->x, job, p);
      else
        fast_panel<LENSOR_Q8_0>(all->x, job, p);
    }
    first += count;
  }
}

// ---------------------------------------------------------------- rounding the activations
LENSOR_INLINE f32v magnitude(f32v a) { return vmax(a, sub(zero(), a)); }

// 16 values to whole numbers of at most `most`; returns the scale. What is no number must not become an
// integer that overflows, so it is cut to the same range.
LENSOR_INLINE float round16(f32v x, float largest, int most, int32_t* q) {
  const float scale = largest / (float)most;
  const f32v bound = set1((float)most);
  const f32v scaled = mul(x, set1(scale > 0 ? 1 / scale : 0));
  storei(q, to_i32(vmin(vmax(scaled, sub(zero(), bound)), bound)));
  return scale;
}

void round_rows(void* arg, int64_t begin, int64_t end, int32_t) {
  const lensor_activations* x = (const lensor_activations*)arg;
  const int64_t blocks = x->cols / LENSOR_BLOCK;
  for (int64_t b = begin * blocks; b < end * blocks; b++) {
    const f32v v[2] = {load(x->f32 + b * 32), load(x->f32 + b * 32 + 16)};
    int32_t q[32];
    if (x->q8) {
      float total = 0;
      for (int half = 0; half < 2; half++) {
        const float scale = round16(v[half], lane_max(magnitude(v[half])), 127, q + 16 * half);
        int32_t sum = 0;
        for (int i = 16 * half; i < 16 * half + 16; i++) {
          x->q8[b * 32 + i] = (int8_t)q[i];
          sum += q[i];
        }
        x->scale8[2 * b + half] = scale;
        total += scale * (float)sum;
      }
      x->total8[b] = total;
    }
    if (x->q16) {
      const float largest = lane_max(vmax(magnitude(v[0]), magnitude(v[1])));
      for (int half = 0; half < 2; half++) x->scale16[b] = round16(v[half], largest, 32767, q + 16 * half);
      for (int i = 0; i < 32; i += 4) {
        int16_t* to = x->q16 + b * 32 + i;
        to[0] = (int16_t)q[i], to[1] = (int16_t)q[i + 2], to[2] = (int16_t)q[i + 1],
        to[3] = (int16_t)q[i + 3];
      }
    }
  }
}

} // namespace

lensor_status quantize(lensor_context* context, const lensor_activations* x) {
  if (x->rows < 8)
    round_rows((void*)x, 0, x->rows, 0);
  else
    context->parallel(context, x->rows, 8, round_rows, (void*)x);
  return LENSOR_OK;
}

lensor_status linear(lensor_context* context, const lensor_activations* x, const lensor_linear* jobs,
                     int32_t count) {
  Jobs all = {context, x, jobs, count};
  int64_t total = 0;
  for (int32_t i = 0; i < count; i++) total += panels_of(jobs[i].weight);
  // Small enough chunks that threads end together, large enough that taking one costs nothing.
  const int64_t grain = total / (context->threads * 8);
  context->parallel(context, total, grain < 1 ? 1 : grain > 64 ? 64 : grain, panels, &all);
  return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
