// out[b] = f(alpha a[b] w[b] + bias) (+ out[b]), as the ABI's lensor_gemm says. Both sides are packed into
// panels (gemm_pack.h); a task multiplies some rows with some columns along all of K into a place of its own,
// then rounds once. Each element is one chain along k in order, from 0: fused multiply-adds, or in bf16 pairs
// of products. A tile that comes back for the next stretch of K goes on from where it stood, so neither
// tiles, nor M, N, batch or threads change a bit.
#include "elementary.h"
#include "gemm_pack.h"
#include "kernels.h"
#include "walk.h"
#include <stdlib.h>

namespace lensor::LENSOR_ISA {

namespace {

// A register tile: kRows rows of kCols columns, as many accumulators as the registers hold beside what feeds
// them.
#if defined(LENSOR_ISA_AVX512)
constexpr int kRows = 12, kLanes = 2;
#elif defined(LENSOR_ISA_AVX2)
constexpr int kRows = 6, kLanes = 1;
#else
constexpr int kRows = 2, kLanes = 1;
#endif
constexpr int kCols = kLanes * 16;
constexpr int64_t kStretch = 256;          // panel entries along K at a time: a panel of w stays in L1
constexpr int64_t kTall = 96, kWide = 256; // rows and columns of a task, at most
constexpr int64_t kDeep = 2048;            // panel entries along K packed at a time
constexpr int64_t kPacked = (int64_t)8 * 1024 * 1024; // bytes of each side packed at a time, about
constexpr int64_t kPackDepth = 512;                   // k packed by one task

// c[R][kCols] (+)= a[n][kRows] w[n][kCols], entries f32 or pairs of bf16.
template <int R, bool half>
void tile(int64_t n, const float* a, const float* w, float* c, int64_t stride, bool first) {
  f32v acc[R][kLanes];
  _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)
      _Pragma("GCC unroll 2") for (int l = 0; l < kLanes; l++) acc[r][l] =
          first ? zero() : load(c + r * stride + 16 * l);
  for (int64_t k = 0; k < n; k++) {
    f32v right[kLanes];
    _Pragma("GCC unroll 2") for (int l = 0; l < kLanes; l++) right[l] = load(w + k * kCols + 16 * l);
    _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) {
      const f32v left = set1(a[k * kRows + r]);
      _Pragma("GCC unroll 2") for (int l = 0; l < kLanes; l++) acc[r][l] =
          half ? dot2(acc[r][l], bits(left), bits(right[l])) : fma(left, right[l], acc[r][l]);
    }
  }
  _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)
      _Pragma("GCC unroll 2") for (int l = 0; l < kLanes; l++) store(c + r * stride + 16 * l, acc[r][l]);
}

using Tile = void (*)(int64_t, const float*, const float*, float*, int64_t, bool);
template <int R, bool half> Tile tile_of(int64_t rows) {
  if constexpr (R == 0)
    return nullptr;
  else
    return rows == R ? (Tile)tile<R, half> : tile_of<R - 1, half>(rows);
}

// One product of a batch, and the parts of its sides that are packed.
struct Product {
  const lensor_gemm* gemm;
  int64_t m, n, k, entries; // entries along K: k, or pairs of k
  int64_t tall, wide;       // rows and columns of a task
  Side a, w;
  float *packed_a, *packed_w; // [panel][depth][kRows or kCols]
  int64_t top, rows;          // of a, packed
  int64_t left, columns;      // of w, packed
  int64_t from, depth;        // of the entries, packed
  char* out;
  int64_t stride, size; // of out's rows, in elements; of an element
  // Sums on their way: a task's, for each thread; or where K is packed in parts those of all that is packed.
  float* sums;
  int64_t sums_stride;
};

int64_t rounded_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// Entries [from, from + depth) of lines [first, first + count).
template <int width, bool half> lensor_status pack(lensor_context* context, const Side& side, int64_t first,
                                                   int64_t count, int64_t from, int64_t depth, float* to) {
  constexpr int64_t each = half ? 2 : 1;
  const int64_t end_k = least(side.depth, (from + depth) * each),
                parts = (depth * each + kPackDepth - 1) / kPackDepth;
  const int64_t panels = (count + width - 1) / width;
  return in_chunks(context, panels * parts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t panel = i / parts, k = i % parts * kPackDepth, at = from * each + k;
      float* place = to + (panel * depth + k / each) * width;
      pack_panel<width, half>(side, first + panel * width, at, least(kPackDepth, end_k - at), place);
    }
  });
}

// n results of a row from their sums.
void finish(const Product& p, const float* sums, int64_t row, int64_t column, int64_t n) {
  const lensor_gemm* g = p.gemm;
  char* to = p.out + (row * p.stride + column) * p.size;
  for (int64_t j = 0; j < n; j += 16) {
    const int some = (int)least(16, n - j);
    f32v v = load_part(sums + j, some, 0);
    if (g->alpha != 1) v = mul(v, set1(g->alpha));
    if (g->bias) v = add(v, load_part(g->bias + column + j, some, 0));
    switch (g->activation) {
    case LENSOR_RELU:
      v = where_gt(zero(), v, zero(), v);
      break;
    case LENSOR_SILU:
      v = mul(v, vsigmoid(v));
      break;
    case LENSOR_SIGMOID:
      v = vsigmoid(v);
      break;
    case LENSOR_TANH:
      v = vtanh(v);
      break;
    case LENSOR_GELU:
      v = vgelu(v);
      break;
    case LENSOR_GELU_TANH:
      v = vgelu_tanh(v);
      break;
    default:
      break;
    }
    float lanes[16], old[16];
    char* place = to + j * p.size;
    if (g->accumulate) {
      const float* before = as_f32(g->out->dtype, place, some, old);
      v = add(load_part(before, some, 0), v);
    }
    if (g->out->dtype == LENSOR_F32) {
      store_part((float*)place, v, some);
    } else {
      store(lanes, v);
      put_f32(g->out->dtype, lanes, some, place);
    }
  }
}

// Rows [top, ...) and columns [left, ...) of a task, counted in what is packed.
template <bool half> void multiply(const Product& p, int64_t top, int64_t left, int32_t thread) {
  const int64_t rows = least(p.tall, p.rows - top), columns = least(p.wide, p.columns - left);
  const bool whole = p.depth == p.entries;
  float* sums = p.sums + (whole ? thread * kTall * kWide : top * p.sums_stride + left);
  for (int64_t at = 0; at < p.depth; at += kStretch) {
    const int64_t n = least(kStretch, p.depth - at);
    for (int64_t j = 0; j < columns; j += kCols) {
      const float* w = p.packed_w + ((left + j) / kCols * p.depth + at) * kCols;
      for (int64_t i = 0; i < rows; i += kRows) {
        const float* a = p.packed_a + ((top + i) / kRows * p.depth + at) * kRows;
        tile_of<kRows, half>(least(kRows, rows - i))(n, a, w, sums + i * p.sums_stride + j, p.sums_stride,
                                                     p.from + at == 0);
      }
    }
  }
  if (p.from + p.depth < p.entries) return;
  for (int64_t i = 0; i < rows; i++)
    finish(p, sums + i * p.sums_stride, p.top + top + i, p.left + left, columns);
}

template <bool half> lensor_status run(lensor_context* context, Product& p, int64_t high, int64_t across) {
  lensor_status status = LENSOR_OK;
  const bool whole = p.entries <= kDeep;
  for (p.left = 0; p.left < p.n && !status; p.left += across) {
    p.columns = least(across, p.n - p.left);
    for (p.top = 0; p.top < p.m && !status; p.top += high) {
      p.rows = least(high, p.m - p.top);
      p.from = 0;
      do {
        p.depth = whole ? p.entries : least(kDeep, p.entries - p.from);
        // Where all of a side is packed already it is packed once.
        if (p.top == 0 || !whole)
          status = pack<kCols, half>(context, p.w, p.left, p.columns, p.from, p.depth, p.packed_w);
        if (!status && (p.left == 0 || high < p.m || !whole))
          status = pack<kRows, half>(context, p.a, p.top, p.rows, p.from, p.depth, p.packed_a);
        if (status) return status;
        const int64_t down = (p.rows + p.tall - 1) / p.tall, beside = (p.columns + p.wide - 1) / p.wide;
        status = in_chunks(context, down * beside, 1, [&](int64_t begin, int64_t end, int32_t thread) {
          for (int64_t i = begin; i < end; i++)
            multiply<half>(p, i / beside * p.tall, i % beside * p.wide, thread);
        });
        p.from += p.depth;
      } while (p.from < p.entries && !status);
    }
  }
  return status;
}

Side side_of(const lensor_view* v, int64_t batch, int line, int depth) {
  const char* data = (const char*)v->data + batch * v->stride[0] * size_of(v->dtype);
  return {data, v->stride[line], v->stride[depth], v->dtype, nullptr, 0, v->shape[line], v->shape[depth]};
}

} // namespace

lensor_status gemm(lensor_context* context, const lensor_gemm* g) {
  const lensor_view* out = g->out;
  const bool half = g->compute == LENSOR_BF16;
  Product p{};
  p.gemm = g;
  p.m = out->shape[1];
  p.n = out->shape[2];
  p.k = g->a->shape[2];
  p.entries = half ? (p.k + 1) / 2 : p.k;
  p.stride = out->stride[1];
  p.size = size_of(out->dtype);
  if (out->shape[0] == 0 || p.m == 0 || p.n == 0) return LENSOR_OK;
  // Smaller tasks where there would be too few of them for the threads to end together.
  p.tall = kTall;
  p.wide = kWide;
  const auto tasks = [&] { return ((p.m + p.tall - 1) / p.tall) * ((p.n + p.wide - 1) / p.wide); };
  while (p.wide > 2 * kCols && context->threads > 1 && tasks() < 4 * context->threads) p.wide /= 2;
  while (p.tall > 2 * kRows && context->threads > 1 && tasks() < 4 * context->threads)
    p.tall = rounded_up(p.tall / 2, kRows);

  const int64_t line = most(1, least(kDeep, p.entries)) * (int64_t)sizeof(float);
  const int64_t high = least(rounded_up(p.m, kTall), most(kTall, kPacked / line / kTall * kTall));
  const int64_t across = least(rounded_up(p.n, kWide), most(kWide, kPacked / line / kWide * kWide));
  const bool whole = p.entries <= kDeep;
  p.sums_stride = whole ? kWide : across;
  const int64_t sums = (whole ? context->threads * kTall * kWide : high * across) * (int64_t)sizeof(float);
  p.packed_a = (float*)aligned_alloc(64, (size_t)rounded_up(high * line, 64));
  p.packed_w = (float*)aligned_alloc(64, (size_t)rounded_up(across * line, 64));
  p.sums = (float*)aligned_alloc(64, (size_t)rounded_up(sums, 64));
  lensor_status status = p.packed_a && p.packed_w && p.sums ? LENSOR_OK : LENSOR_OUT_OF_MEMORY;
  // No k: sums of nothing.
  if (p.k == 0 && !status) memset(p.sums, 0, (size_t)sums);
  for (int64_t b = 0; b < out->shape[0] && !status; b++) {
    p.a = side_of(g->a, b, 1, 2);
    if (g->w)
      p.w = side_of(g->w, b, 2, 1);
    else
      p.w = {nullptr, 0, 0, 0, g->weight, g->flipped, p.n, p.k};
    p.out = (char*)out->data + b * out->stride[0] * p.size;
    status = half ? run<true>(context, p, high, across) : run<false>(context, p, high, across);
  }
  free(p.packed_a);
  free(p.packed_w);
  free(p.sums);
  return status;
}

} // namespace lensor::LENSOR_ISA
