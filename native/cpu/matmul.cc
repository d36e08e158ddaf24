// out[b] = x[b] y[b]: [B, M, K] x [B, K, N], contiguous, one dtype. Floats accumulate in f32 and round once.
// Each output element is one chain of fused multiply-adds along K in order, whatever M, the tile and the
// threads: a tile that comes back for the next stretch of K goes on from where it stood. y is packed into
// panels of 16 columns, x into strips of kRows rows, so that the inner loop reads both straight through.
#include "kernels.h"
#include "walk.h"
#include <stdlib.h>

namespace lensor::LENSOR_ISA {

namespace {

// Rows of a register tile: as many accumulators as the registers hold beside one row of y.
#if defined(LENSOR_ISA_AVX512)
constexpr int kRows = 12;
#elif defined(LENSOR_ISA_AVX2)
constexpr int kRows = 6;
#else
constexpr int kRows = 2;
#endif
constexpr int64_t kDepth = 256; // K at a time: a panel of it stays in the first-level cache
constexpr int64_t kTall = 96;   // rows of x that a thread packs at a time, at most
constexpr int64_t kWide = 16;   // panels that share such rows
constexpr int64_t kPacked = (int64_t)4 * 1024 * 1024; // f32 of y packed at a time

// acc[R][16] (+)= a[depth][kRows] b[depth][16].
template <int R>
void tile(int64_t depth, const float* a, const float* b, float* c, int64_t stride, bool first) {
  f32v acc[R];
  for (int r = 0; r < R; r++) acc[r] = first ? zero() : load(c + r * stride);
  for (int64_t k = 0; k < depth; k++) {
    const f32v row = load(b + k * LENSOR_PANEL);
    for (int r = 0; r < R; r++) acc[r] = fma(set1(a[k * kRows + r]), row, acc[r]);
  }
  for (int r = 0; r < R; r++) store(c + r * stride, acc[r]);
}

using Tile = void (*)(int64_t, const float*, const float*, float*, int64_t, bool);
template <int R> Tile tile_of(int64_t rows) {
  if constexpr (R == 0)
    return nullptr;
  else
    return rows == R ? (Tile)tile<R> : tile_of<R - 1>(rows);
}

// What the loops share. `columns` counts panels of y.
struct Product {
  const lensor_view *x, *y, *out;
  int64_t m, k, n, panels, groups, blocks;
  int64_t tall; // rows of x in a block
  int64_t size;
  float* packed;  // panels of the groups at hand, each [k][16]
  float* scratch; // for each thread: strips of x and a tile of results
};

constexpr int64_t kStrip = (kTall + kRows) * kDepth;
constexpr int64_t kResult = kTall * kWide * LENSOR_PANEL;

// Rows [at, at + kStretch) of one group's panels of y, columns past the end 0: y is read along its rows.
constexpr int64_t kStretch = 64;
void pack_panels(const Product& p, int64_t group, int64_t at, float* to) {
  const int64_t left = group % p.groups * kWide * LENSOR_PANEL,
                width = least(kWide * LENSOR_PANEL, p.n - left);
  const int64_t end = least(p.k, at + kStretch);
  for (int64_t k = at; k < end; k++) {
    float wide[kWide * LENSOR_PANEL];
    const char* from = (const char*)p.y->data + ((group / p.groups * p.k + k) * p.n + left) * p.size;
    const float* row = as_f32(p.y->dtype, from, width, wide);
    for (int64_t j = 0; j < width; j += LENSOR_PANEL) {
      float* place = to + (j * p.k) + k * LENSOR_PANEL;
      if (j + LENSOR_PANEL <= width)
        store(place, load(row + j));
      else
        store(place, load_part(row + j, (int)(width - j), 0));
    }
  }
}

// Rows [top, top + rows) of x, columns [at, at + depth), as strips [depth][kRows].
void pack_strips(const Product& p, int64_t batch, int64_t top, int64_t rows, int64_t at, int64_t depth,
                 float* to) {
  float wide[kRows][kDepth];
  const float* row[kRows];
  for (int64_t first = 0; first < rows; first += kRows, to += depth * kRows) {
    for (int r = 0; r < kRows; r++) {
      // What is missing from the last strip repeats its last row; nobody reads those results.
      const int64_t from = (batch * p.m + top + least(rows - 1, first + r)) * p.k + at;
      row[r] = as_f32(p.x->dtype, (const char*)p.x->data + from * p.size, depth, wide[r]);
    }
    for (int64_t k = 0; k < depth; k++)
      for (int r = 0; r < kRows; r++) to[k * kRows + r] = row[r][k];
  }
}

// One block of rows against one group of panels, along all of K.
void multiply(const Product& p, int64_t group, int64_t first_group, int64_t block, int32_t thread) {
  const int64_t batch = group / p.groups, first = group % p.groups * kWide;
  const int64_t panels = least(kWide, p.panels - first), top = block * p.tall,
                rows = least(p.tall, p.m - top);
  const int64_t left = first * LENSOR_PANEL, width = least(panels * LENSOR_PANEL, p.n - left);
  const float* packed = p.packed + (group - first_group) * kWide * LENSOR_PANEL * p.k;
  float* strips = p.scratch + thread * (kStrip + kResult);
  float* result = strips + kStrip;
  // Whole f32 panels accumulate in place; others in scratch, where 16 columns always fit.
  char* to = (char*)p.out->data + ((batch * p.m + top) * p.n + left) * p.size;
  const bool direct = p.out->dtype == LENSOR_F32 && width == panels * LENSOR_PANEL;
  float* c = direct ? (float*)to : result;
  const int64_t stride = direct ? p.n : kWide * LENSOR_PANEL;
  for (int64_t at = 0; at < p.k; at += kDepth) {
    const int64_t depth = least(kDepth, p.k - at);
    pack_strips(p, batch, top, rows, at, depth, strips);
    for (int64_t panel = 0; panel < panels; panel++)
      for (int64_t r = 0; r < rows; r += kRows)
        tile_of<kRows>(least(kRows, rows - r))(depth, strips + r * depth,
                                               packed + (panel * p.k + at) * LENSOR_PANEL,
                                               c + r * stride + panel * LENSOR_PANEL, stride, at == 0);
  }
  if (!direct)
    for (int64_t r = 0; r < rows; r++)
      put_f32(p.out->dtype, result + r * kWide * LENSOR_PANEL, width, to + r * p.n * p.size);
}

lensor_status matmul_floats(lensor_context* context, Product p) {
  p.panels = (p.n + LENSOR_PANEL - 1) / LENSOR_PANEL;
  p.groups = (p.panels + kWide - 1) / kWide;
  const int64_t all = p.x->shape[0] * p.groups;
  // Lower blocks where there would be too few of them for every thread.
  for (p.tall = kTall; p.tall > 2 * kRows && all * ((p.m + p.tall - 1) / p.tall) < 3 * context->threads;)
    p.tall /= 2;
  p.blocks = (p.m + p.tall - 1) / p.tall;
  const int64_t group_size = least(kWide, p.panels) * LENSOR_PANEL * p.k;
  const int64_t stretches = (p.k + kStretch - 1) / kStretch;
  const int64_t together = least(all, most(1, kPacked / group_size));
  p.packed = (float*)malloc((size_t)(together * kWide * LENSOR_PANEL * p.k) * sizeof(float));
  p.scratch = (float*)malloc((size_t)(context->threads * (kStrip + kResult)) * sizeof(float));
  lensor_status status = p.packed && p.scratch ? LENSOR_OK : LENSOR_OUT_OF_MEMORY;
  for (int64_t begin = 0; begin < all && status == LENSOR_OK; begin += together) {
    const int64_t count = least(together, all - begin);
    status = in_chunks(context, count * stretches, 2, [&](int64_t from, int64_t to, int) {
      for (int64_t i = from; i < to; i++)
        pack_panels(p, begin + i / stretches, i % stretches * kStretch,
                    p.packed + i / stretches * kWide * LENSOR_PANEL * p.k);
    });
    if (status == LENSOR_OK)
      status = in_chunks(context, count * p.blocks, 1, [&](int64_t from, int64_t to, int thread) {
        for (int64_t i = from; i < to; i++) multiply(p, begin + i / p.blocks, begin, i % p.blocks, thread);
      });
  }
  free(p.packed);
  free(p.scratch);
  return status;
}

// One or two rows read y once: packing it first would cost more than multiplying. The same chains of
// additions.
lensor_status matmul_few(lensor_context* context, const Product& p) {
  constexpr int64_t kAcross = 4 * LENSOR_PANEL;
  const int64_t pieces = (p.n + kAcross - 1) / kAcross;
  return in_chunks(context, p.x->shape[0] * p.m * pieces, most(1, kGrain / (p.k * kAcross)),
                   [&](int64_t from, int64_t to, int) {
                     for (int64_t i = from; i < to; i++) {
                       const int64_t row = i / pieces, left = i % pieces * kAcross,
                                     width = least(kAcross, p.n - left);
                       const char* y = (const char*)p.y->data + (row / p.m * p.k * p.n + left) * p.size;
                       f32v acc[4] = {zero(), zero(), zero(), zero()};
                       float wide[kAcross] = {}, factors[kDepth];
                       for (int64_t at = 0; at < p.k; at += kDepth) {
                         const int64_t depth = least(kDepth, p.k - at);
                         const float* x = as_f32(
                             p.x->dtype, (const char*)p.x->data + (row * p.k + at) * p.size, depth, factors);
                         for (int64_t k = 0; k < depth; k++, y += p.n * p.size) {
                           const float* values = as_f32(p.y->dtype, y, width, wide);
                           if (width < kAcross && values != wide)
                             values = (const float*)memcpy(wide, values, (size_t)width * 4);
                           for (int j = 0; j < 4; j++)
                             acc[j] = fma(set1(x[k]), load(values + j * LENSOR_PANEL), acc[j]);
                         }
                       }
                       for (int j = 0; j < 4; j++) store(wide + j * LENSOR_PANEL, acc[j]);
                       put_f32(p.out->dtype, wide, width, (char*)p.out->data + (row * p.n + left) * p.size);
                     }
                   });
}

// Integers wrap, so they are multiplied without a sign in their own width.
template <class U> lensor_status matmul_whole(lensor_context* context, const Product& p) {
  const int64_t rows = p.x->shape[0] * p.m;
  return in_chunks(context, rows, most(1, kGrain / (p.k * p.n)), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) {
      const U* x = (const U*)p.x->data + row * p.k;
      const U* y = (const U*)p.y->data + row / p.m * p.k * p.n;
      U* out = (U*)p.out->data + row * p.n;
      memset(out, 0, (size_t)p.n * sizeof(U));
      for (int64_t k = 0; k < p.k; k++)
        for (int64_t j = 0; j < p.n; j++) out[j] = (U)(out[j] + (uint64_t)x[k] * y[k * p.n + j]);
    }
  });
}

} // namespace

lensor_status matmul(lensor_context* context, const lensor_view* x, const lensor_view* y,
                     const lensor_view* out) {
  Product p{};
  p.x = x;
  p.y = y;
  p.out = out;
  p.m = x->shape[1];
  p.k = x->shape[2];
  p.n = y->shape[2];
  p.size = size_of(x->dtype);
  const int64_t count = elements(out);
  if (count == 0) return LENSOR_OK;
  if (p.k == 0) {
    memset(out->data, 0, (size_t)(count * p.size));
    return LENSOR_OK;
  }
  switch (x->dtype) {
  case LENSOR_F32:
  case LENSOR_F16:
  case LENSOR_BF16:
    return p.m <= 2 ? matmul_few(context, p) : matmul_floats(context, p);
  case LENSOR_I32:
    return matmul_whole<uint32_t>(context, p);
  case LENSOR_I64:
    return matmul_whole<uint64_t>(context, p);
  default:
    return matmul_whole<uint8_t>(context, p);
  }
}

} // namespace lensor::LENSOR_ISA
