// out = x W^T for rows of activations and panels of weights (quant/panel.h).
//
// Exact: acc = fma(w[k], x[k], acc) over k in order, w dequantized, one lane an output.
// Fast:  for each block of 32 the integer sum s of q_w q_x, then acc = fma(s, d_w d_x, acc), and for Q4_1 also
//        acc = fma(m_w, d_x sum(q_x), acc), blocks in order.
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

LENSOR_INLINE void put(float* out, f32v acc, int n, int accumulate) {
  if (n == LENSOR_PANEL) return store(out, accumulate ? add(load(out), acc) : acc);
  store_part(out, accumulate ? add(load_part(out, n, 0), acc) : acc, n);
}

// ---------------------------------------------------------------- exact
template <int R> void exact_tile(const float* w, const float* x, int64_t stride, int n, float* acc) {
  f32v a[R];
  for (int r = 0; r < R; r++) a[r] = load(acc + 16 * r);
  for (int k = 0; k < n; k++) {
    const f32v v = load(w + 16 * k);
    for (int r = 0; r < R; r++) a[r] = fma(v, set1(x[r * stride + k]), a[r]);
  }
  for (int r = 0; r < R; r++) store(acc + 16 * r, a[r]);
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
      put(job->out + (row + r) * job->out_stride + panel * LENSOR_PANEL, load(acc + 16 * r), n, job->accumulate);
  }
}

// ---------------------------------------------------------------- fast
LENSOR_INLINE i32v four(const int8_t* q) {
  int32_t bytes;
  memcpy(&bytes, q, 4);
  return set1i(bytes);
}

template <int T, int R>
void fast_tile(const uint8_t* p, const lensor_activations* x, int64_t row, const lensor_linear* job, float* out, int n) {
  const int64_t cols = x->cols, blocks = cols / LENSOR_BLOCK;
  const int8_t* q = x->q + row * cols;
  const float* scale = x->scale + row * blocks;
  const int32_t* sum = x->sum + row * blocks;
  const i32v low = set1i(0x0f0f0f0f);
  f32v acc[R];
  for (int r = 0; r < R; r++) acc[r] = zero();
  for (int64_t b = 0; b < blocks; b++, q += LENSOR_BLOCK) {
    const f32v d = load_f16((const uint16_t*)p);
    const f32v m = T == LENSOR_Q4_1 ? load_f16((const uint16_t*)(p + 32)) : d;
    p += T == LENSOR_Q4_1 ? 64 : 32;
    i32v s[R];
    for (int r = 0; r < R; r++) s[r] = zeroi();
    if constexpr (T == LENSOR_Q8_0) {
      for (int j = 0; j < 8; j++, p += 64) {
        const i32v w = loadi(p);
        for (int r = 0; r < R; r++) s[r] = dot8(s[r], w, four(q + r * cols + 4 * j));
      }
      if (kByteOffset)
        for (int r = 0; r < R; r++) s[r] = subi(s[r], set1i(kByteOffset * sum[r * blocks + b]));
    } else {
      for (int j = 0; j < 4; j++, p += 64) {
        const i32v w = loadi(p), even = andi(w, low), odd = andi(shr<4>(w), low);
        for (int r = 0; r < R; r++) {
          s[r] = dot4(s[r], even, four(q + r * cols + 4 * j));
          s[r] = dot4(s[r], odd, four(q + r * cols + 16 + 4 * j));
        }
      }
      for (int r = 0; r < R; r++) s[r] = sum4(s[r]);
      if (T == LENSOR_Q4_0)
        for (int r = 0; r < R; r++) s[r] = subi(s[r], set1i(8 * sum[r * blocks + b]));
    }
    if (R == 1) prefetch(p + 1024);
    for (int r = 0; r < R; r++) {
      const float dx = scale[r * blocks + b];
      acc[r] = fma(to_f32(s[r]), mul(d, set1(dx)), acc[r]);
      if (T == LENSOR_Q4_1) acc[r] = fma(m, set1(dx * (float)sum[r * blocks + b]), acc[r]);
    }
  }
  for (int r = 0; r < R; r++) put(out + (row + r) * job->out_stride, acc[r], n, job->accumulate);
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
      if (!all->x->q || !is_quantized(dtype)) exact_panel(all->x, job, p);
      else if (dtype == LENSOR_Q4_0) fast_panel<LENSOR_Q4_0>(all->x, job, p);
      else if (dtype == LENSOR_Q4_1) fast_panel<LENSOR_Q4_1>(all->x, job, p);
      else fast_panel<LENSOR_Q8_0>(all->x, job, p);
    }
    first += count;
  }
}

// ---------------------------------------------------------------- activations to 8 bits
void quantize_rows(void* arg, int64_t begin, int64_t end, int32_t) {
  const lensor_activations* x = (const lensor_activations*)arg;
  const int64_t blocks = x->cols / LENSOR_BLOCK;
  for (int64_t b = begin * blocks; b < end * blocks; b++) {
    const f32v a = load(x->f32 + b * 32), c = load(x->f32 + b * 32 + 16);
    const f32v largest = vmax(vmax(a, sub(zero(), a)), vmax(c, sub(zero(), c)));
    const float scale = lane_max(largest) / 127;
    const f32v inverse = set1(scale > 0 ? 1 / scale : 0);
    int32_t q[32], sum = 0;
    storei(q, to_i32(mul(a, inverse)));
    storei(q + 16, to_i32(mul(c, inverse)));
    for (int i = 0; i < 32; i++) {
      // A value that is no number has no integer; it must not become one that overflows.
      const int32_t v = q[i] > 127 ? 127 : q[i] < -127 ? -127 : q[i];
      x->q[b * 32 + i] = (int8_t)v;
      sum += v;
    }
    x->scale[b] = scale;
    x->sum[b] = sum;
  }
}

} // namespace

lensor_status quantize(lensor_context* context, const lensor_activations* x) {
  if (x->rows < 8) quantize_rows((void*)x, 0, x->rows, 0);
  else context->parallel(context, x->rows, 8, quantize_rows, (void*)x);
  return LENSOR_OK;
}

lensor_status linear(lensor_context* context, const lensor_activations* x, const lensor_linear* jobs, int32_t count) {
  Jobs all = {context, x, jobs, count};
  int64_t total = 0;
  for (int32_t i = 0; i < count; i++) total += panels_of(jobs[i].weight);
  // Small enough chunks that threads end together, large enough that taking one costs nothing.
  const int64_t grain = total / (context->threads * 8);
  context->parallel(context, total, grain < 1 ? 1 : grain > 64 ? 64 : grain, panels, &all);
  return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
