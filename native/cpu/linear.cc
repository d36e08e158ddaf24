// out = x W^T for rows of activations and panels of weights (quant/panel.h).
//
// Exact: acc = fma(w[k], x[k], acc) over k in order, w dequantized, one lane an output.
// Fast:  integer products block by block (product.h, product_super.h).
// Both do the same for one row and for many: only how many rows share a load of the weights differs.
#include "linear.h"
#include "adapters.h"
#include "grouped.h"
#include "product_super.h"
#include "unpack.h"

namespace lensor::LENSOR_ISA {

namespace {

#if defined(LENSOR_ISA_AVX512)
constexpr int kExactRows = 12; // accumulators of a tile: one zmm a row
constexpr int kFastRows = 4;   // by two panels, three zmm each
constexpr int kFastPanels = 2;
#elif defined(LENSOR_ISA_AVX2)
constexpr int kExactRows = 6; // two ymm a row
constexpr int kFastRows = 2;
constexpr int kFastPanels = 1;
#else
constexpr int kExactRows = 2;
constexpr int kFastRows = 1;
constexpr int kFastPanels = 1;
#endif
constexpr int kSlab = 128;     // columns unpacked at a time: 8 KiB, which stays in the nearest cache
constexpr int kRowBlock = 120; // rows whose accumulators wait between slabs

// What one panel of a matrix gives.
struct Columns {
  int64_t panel;
  const uint8_t* weights;
  int n; // outputs that exist
};
LENSOR_INLINE Columns columns_of(const lensor_linear* job, int64_t panel) {
  const lensor_weight* weight = job->weight;
  const int64_t left = weight->rows - panel * LENSOR_PANEL;
  return {panel, (const uint8_t*)weight->data + panel * panel_bytes(weight->dtype, weight->cols),
          (int)(left < LENSOR_PANEL ? left : LENSOR_PANEL)};
}

LENSOR_INLINE void put(const lensor_linear* job, const Columns& to, int64_t row, f32v acc) {
  const lensor_adapters* beside = job->adapters ? job->adapters[job->texts ? row : 0] : nullptr;
  if (beside) acc = adapted(beside + job->part, job->inner + row * job->inner_stride, to.panel, acc);
  float* out = job->out + row * job->out_stride + to.panel * LENSOR_PANEL;
  if (to.n == LENSOR_PANEL) return store(out, job->accumulate ? add(load(out), acc) : acc);
  store_part(out, job->accumulate ? add(load_part(out, to.n, 0), acc) : acc, to.n);
}

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
  const Columns to = columns_of(job, panel);
  float values[kSlab * LENSOR_PANEL], acc[kRowBlock * LENSOR_PANEL];
  for (int64_t row = 0; row < x->rows; row += kRowBlock) {
    const int64_t rows = x->rows - row < kRowBlock ? x->rows - row : kRowBlock;
    memset(acc, 0, (size_t)rows * 64);
    for (int64_t k = 0; k < weight->cols; k += kSlab) {
      const int some = (int)(weight->cols - k < kSlab ? weight->cols - k : kSlab);
      for (int i = 0; i < some; i += LENSOR_BLOCK)
        unpack(weight->dtype, to.weights, k + i, some - i < LENSOR_BLOCK ? some - i : LENSOR_BLOCK,
               values + 16 * i);
      ExactRows<kExactRows>::run(rows, values, x->f32 + row * x->cols + k, x->cols, some, acc);
    }
    for (int64_t r = 0; r < rows; r++) put(job, to, row + r, load(acc + 16 * r));
  }
}

// The nibbles of 16 rows that say which columns are kept, the i-th from bit `kNibbles<N>` + 4 i on.
template <int N> constexpr int kNibbles = N == 2 ? 16 : 0;
template <int N> LENSOR_INLINE i32v load_nibbles(const uint8_t* p) {
  if constexpr (N == 4) return loadi(p);
  if constexpr (N == 2) return bits(load_bf16((const uint16_t*)p));
  return load_i8((const int8_t*)p);
}

template <int N, int I>
LENSOR_INLINE f32v sparse_block(const uint8_t* block, f32v x, i32v nibbles, f32v acc) {
  if constexpr (I == 2 * N)
    return acc;
  else
    return sparse_block<N, I + 1>(block, x, nibbles,
                                  fma(load_f16((const uint16_t*)block + 16 * I),
                                      pick<I / N>(x, shr<kNibbles<N> + 4 * I>(nibbles)), acc));
}

// exact_panel's multiply-adds in its order, for a few rows, without those of zeros, which would change
// nothing.
template <int N> void sparse_panel(const lensor_activations* x, const lensor_linear* job, int64_t panel) {
  const Columns to = columns_of(job, panel);
  for (int64_t row = 0; row < x->rows; row++) {
    const float* at = x->f32 + row * x->cols;
    const uint8_t* block = to.weights;
    f32v acc = zero();
    for (int64_t k = 0; k < x->cols; k += 16, block += 80 * N)
      acc = sparse_block<N, 0>(block, load(at + k), load_nibbles<N>(block + 64 * N), acc);
    put(job, to, row, acc);
  }
}
constexpr int64_t kSparseRows = 4; // more share what is unpacked

template <int T, int R, int P> LENSOR_INLINE void
fast_tile(const uint8_t* const* panels, const lensor_activations* x, int64_t row, f32v (&acc)[P][R]) {
  if constexpr (T == LENSOR_Q8_0)
    tile_q8(panels, x, row, acc);
  else if constexpr (is_super(T))
    tile_super<T>(panels, x, row, acc);
  else
    tile_low<T>(panels, x, row, acc);
}

// A quantized type's way to a tile.
template <int T> struct Blocked {
  template <int R, int P> __attribute__((always_inline)) inline void
  tile(const uint8_t* const* panels, const lensor_activations* x, int64_t row, f32v (&acc)[P][R]) const {
    fast_tile<T>(panels, x, row, acc);
  }
};
template <int B, bool M> struct Grouped {
  int per; // blocks in a group

  template <int R, int P> __attribute__((always_inline)) inline void
  tile(const uint8_t* const* panels, const lensor_activations* x, int64_t row, f32v (&acc)[P][R]) const {
    if constexpr (B == 8)
      tile_grouped8<M>(panels, x, row, per, acc);
    else
      tile_grouped<B, M>(panels, x, row, per, acc);
  }
};

template <int R, int P, class Type> void fast_rows(const Type& type, const Columns* to,
                                                   const lensor_activations* x, int64_t row,
                                                   const lensor_linear* job) {
  const uint8_t* weights[P];
  LENSOR_PANELS(p) weights[p] = to[p].weights;
  f32v acc[P][R];
  type.tile(weights, x, row, acc);
  LENSOR_PANELS(p) LENSOR_ROWS(r) put(job, to[p], row + r, acc[p][r]);
}

template <class Type> void fast_panels(const Type& type, const lensor_activations* x,
                                       const lensor_linear* job, int64_t panel, int64_t count) {
  Columns to[kTogether];
  for (int64_t i = 0; i < count; i++) to[i] = columns_of(job, panel + i);
  int64_t row = 0;
  if (count == kFastPanels)
    for (; row + kFastRows <= x->rows; row += kFastRows)
      fast_rows<kFastRows, kFastPanels>(type, to, x, row, job);
  for (int64_t i = 0; i < count; i++) {
    int64_t r = row;
    for (; r + kFastRows <= x->rows; r += kFastRows) fast_rows<kFastRows, 1>(type, to + i, x, r, job);
    for (; r < x->rows; r++) fast_rows<1, 1>(type, to + i, x, r, job);
  }
}

template <int B>
void grouped_panels(const lensor_activations* x, const lensor_linear* job, int64_t panel, int64_t count) {
  const int32_t dtype = job->weight->dtype;
  const int per = group_cols(dtype) / LENSOR_BLOCK;
  if (has_minimum(dtype)) return fast_panels(Grouped<B, true>{per}, x, job, panel, count);
  fast_panels(Grouped<B, false>{per}, x, job, panel, count);
}

void grouped(const lensor_activations* x, const lensor_linear* job, int64_t panel, int64_t count) {
  switch (grouped_bits(job->weight->dtype)) {
  case 2:
    return grouped_panels<2>(x, job, panel, count);
  case 3:
    return grouped_panels<3>(x, job, panel, count);
  case 4:
    return grouped_panels<4>(x, job, panel, count);
  case 5:
    return grouped_panels<5>(x, job, panel, count);
  case 6:
    return grouped_panels<6>(x, job, panel, count);
  default:
    return grouped_panels<8>(x, job, panel, count);
  }
}

bool is_fast(const lensor_activations* x, int32_t dtype) {
  return is_quantized(dtype) && (takes_wide(dtype) ? x->q16 != nullptr : x->q8 != nullptr);
}

struct Jobs {
  lensor_context* context;
  const lensor_activations* x;
  const lensor_linear* jobs;
  int32_t count;
};

void pairs(void* arg, int64_t begin, int64_t end, int32_t) {
  const Jobs* all = (const Jobs*)arg;
  int64_t first = 0;
  for (int32_t i = 0; i < all->count; i++) {
    const lensor_linear* job = all->jobs + i;
    const int64_t count = pieces_of(job->weight, kTogether);
    for (int64_t p = begin > first ? begin - first : 0; p < count && first + p < end; p++) {
      if (all->context->interrupted(all->context)) return;
      linear_panels(all->x, job, p * kTogether, kTogether);
    }
    first += count;
  }
}

} // namespace

void linear_panels(const lensor_activations* x, const lensor_linear* job, int64_t panel, int64_t most) {
  const int32_t dtype = job->weight->dtype;
  if (dtype == LENSOR_FACTORS) {
    const lensor_factors* factors = (const lensor_factors*)job->weight->data;
    lensor_activations middle = {};
    middle.rows = x->rows, middle.cols = factors->up.cols, middle.f32 = job->middle;
    lensor_linear outer = *job;
    outer.weight = &factors->up;
    return linear_panels(&middle, &outer, panel, most);
  }
  const int64_t left = pieces_of(job->weight, 1) - panel, count = left < most ? left : most;
  if (is_sparse(dtype) && x->rows <= kSparseRows) {
    const int kept = sparse_kept(dtype);
    for (int64_t i = 0; i < count; i++)
      (kept == 1 ? sparse_panel<1> : kept == 2 ? sparse_panel<2> : sparse_panel<4>)(x, job, panel + i);
    return;
  }
  if (!is_fast(x, dtype)) {
    for (int64_t i = 0; i < count; i++) exact_panel(x, job, panel + i);
    return;
  }
  if (is_grouped(dtype)) return grouped(x, job, panel, count);
  switch (dtype) {
  case LENSOR_Q4_0:
    return fast_panels(Blocked<LENSOR_Q4_0>{}, x, job, panel, count);
  case LENSOR_Q4_1:
    return fast_panels(Blocked<LENSOR_Q4_1>{}, x, job, panel, count);
  case LENSOR_Q5_0:
    return fast_panels(Blocked<LENSOR_Q5_0>{}, x, job, panel, count);
  case LENSOR_Q5_1:
    return fast_panels(Blocked<LENSOR_Q5_1>{}, x, job, panel, count);
  case LENSOR_MXFP4:
    return fast_panels(Blocked<LENSOR_MXFP4>{}, x, job, panel, count);
  case LENSOR_Q2_K:
    return fast_panels(Blocked<LENSOR_Q2_K>{}, x, job, panel, count);
  case LENSOR_Q3_K:
    return fast_panels(Blocked<LENSOR_Q3_K>{}, x, job, panel, count);
  case LENSOR_Q4_K:
    return fast_panels(Blocked<LENSOR_Q4_K>{}, x, job, panel, count);
  case LENSOR_Q5_K:
    return fast_panels(Blocked<LENSOR_Q5_K>{}, x, job, panel, count);
  case LENSOR_Q6_K:
    return fast_panels(Blocked<LENSOR_Q6_K>{}, x, job, panel, count);
  default:
    return fast_panels(Blocked<LENSOR_Q8_0>{}, x, job, panel, count);
  }
}

lensor_status linear(lensor_context* context, const lensor_activations* x, const lensor_linear* jobs,
                     int32_t count) {
  Jobs all = {context, x, jobs, count};
  int64_t total = 0;
  for (int32_t i = 0; i < count; i++) total += pieces_of(jobs[i].weight, kTogether);
  // Small enough chunks that threads end together, large enough that taking one costs nothing.
  const int64_t grain = total / (context->threads * 8);
  context->parallel(context, total, grain < 1 ? 1 : grain > 32 ? 32 : grain, pairs, &all);
  return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
