// GPTQ's sweep (Frantar et al. 2023, arXiv 2210.17323): column after column is rounded, and what that is off
// is made up for by the columns after it. With U upper, H^-1 = U^T U:
//   q(r, j) = nearest of the group's numbers to w(r, j),   e = (w(r, j) - q(r, j)) / U(j, j),
//   w(r, l) -= e U(j, l) for l > j
// Sixteen rows side by side in the lanes of a vector go through all columns; a block of columns is swept,
// then the columns behind it are corrected by the whole block at once. A row's bits depend on no other row.
#include "grid.h"
#include "kernels.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

// Columns that are corrected together: as many accumulators as there are registers for.
#if defined(LENSOR_ISA_AVX512)
constexpr int kTile = 16;
#elif defined(LENSOR_ISA_AVX2)
constexpr int kTile = 4;
#else
constexpr int kTile = 2;
#endif
constexpr int64_t kLanes = LENSOR_PANEL;

struct Sweep {
  const float* u; // [cols, cols]
  // Of each block the columns behind it, sixteen together: [tiles][block][16].
  const float* packed;
  int64_t cols, block, group;
  int32_t steps; // the highest code
  bool symmetric, given;
  const int64_t* index; // of each column its group, where scales are given
};

int64_t tiles_behind(const Sweep& s, int64_t last) { return (s.cols - last + kLanes - 1) / kLanes; }

// Where the packed columns behind the block that starts there are.
int64_t packed_at(const Sweep& s, int64_t first) {
  int64_t at = 0;
  for (int64_t b = 0; b < first; b += s.block)
    at += tiles_behind(s, least(s.cols, b + s.block)) * s.block * kLanes;
  return at;
}

void pack(const Sweep& s, int64_t first, float* to) {
  const int64_t last = least(s.cols, first + s.block);
  for (int64_t l = last; l < s.cols; l += kLanes)
    for (int64_t j = first; j < last; j++, to += kLanes)
      store(to, load_part(s.u + j * s.cols + l, (int)least(kLanes, s.cols - l), 0));
}

Grid spread(const Sweep& s, const float* w) {
  f32v low = zero(), high = zero();
  for (int64_t i = 0; i < s.group; i++) {
    const f32v x = load(w + i * kLanes);
    low = vmin(low, x), high = vmax(high, x);
  }
  return grid_of(low, high, s.steps, s.symmetric);
}

// Columns [first, last) of sixteen rows, w [cols][16]; error [last - first][16].
void sweep_block(const Sweep& s, int64_t first, int64_t last, float* w, float* error, float* scale,
                 float* offset) {
  const f32v most = set1((float)s.steps);
  for (int64_t j = first; j < last; j++) {
    const int64_t group = s.given ? s.index[j] : j / s.group;
    if (!s.given && j % s.group == 0) {
      const Grid grid = spread(s, w + j * kLanes);
      store(scale + group * kLanes, grid.scale), store(offset + group * kLanes, grid.offset);
    }
    const f32v x = load(w + j * kLanes);
    const f32v q = on_grid(x, {load(scale + group * kLanes), load(offset + group * kLanes)}, most);
    const float* u = s.u + j * s.cols;
    const f32v e = div(sub(x, q), set1(u[j]));
    store(w + j * kLanes, q);
    store(error + (j - first) * kLanes, e);
    const f32v by = sub(zero(), e);
    for (int64_t l = j + 1; l < last; l++) store(w + l * kLanes, fma(by, set1(u[l]), load(w + l * kLanes)));
  }
}

// Columns behind the block.
void correct(const Sweep& s, const float* u, int64_t width, int64_t last, float* w, const float* error) {
  for (int64_t l = last; l < s.cols; l += kLanes, u += width * kLanes)
    for (int64_t c = 0; c < least(kLanes, s.cols - l); c += kTile) {
      const int n = (int)least(kTile, s.cols - l - c);
      float* to = w + (l + c) * kLanes;
      f32v sum[kTile];
      for (int i = 0; i < kTile; i++) sum[i] = zero();
      for (int64_t j = 0; j < width; j++) {
        const f32v e = load(error + j * kLanes);
        for (int i = 0; i < kTile; i++) sum[i] = fma(e, set1(u[j * kLanes + c + i]), sum[i]);
      }
      for (int i = 0; i < n; i++) store(to + i * kLanes, sub(load(to + i * kLanes), sum[i]));
    }
}

} // namespace

lensor_status gptq_sweep(lensor_context* context, const lensor_gptq* g) {
  const int64_t rows = g->w->shape[0], cols = g->w->shape[1], groups = g->scale->shape[1];
  if (elements(g->w) == 0) return LENSOR_OK;
  Sweep s = {(const float*)g->u->data,
             nullptr,
             cols,
             g->block,
             g->group,
             (1 << g->bits) - 1,
             g->symmetric != 0,
             g->index != nullptr,
             g->index ? (const int64_t*)g->index->data : nullptr};
  for (int64_t i = 0; i < cols; i++) {
    if (!(s.u[i * cols + i] > 0)) return LENSOR_BAD_VALUE;
    if (s.index && !(s.index[i] >= 0 && s.index[i] < groups)) return LENSOR_BAD_INDEX;
  }
  const int64_t each = (cols + 2 * groups + s.block) * kLanes;
  Scratch scratch(context);
  float* packed = scratch.take<float>(packed_at(s, cols));
  float* work = scratch.take<float>(each * context->threads);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  const int64_t blocks = (cols + s.block - 1) / s.block;
  const lensor_status status = in_chunks(context, blocks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t b = begin; b < end; b++) pack(s, b * s.block, packed + packed_at(s, b * s.block));
  });
  if (status) return status;
  s.packed = packed;
  return in_chunks(context, (rows + kLanes - 1) / kLanes, 1, [&](int64_t begin, int64_t end, int thread) {
    float *w = work + thread * each, *scale = w + cols * kLanes, *offset = scale + groups * kLanes,
          *error = offset + groups * kLanes;
    for (int64_t panel = begin; panel < end; panel++) {
      const int64_t top = panel * kLanes, n = least(kLanes, rows - top);
      // A panel's rows become columns, and back; lanes past the last row are zeros.
      const auto take = [&](const lensor_view* from, int64_t count, float* to) {
        for (int64_t r = 0; r < kLanes; r++)
          for (int64_t i = 0; i < count; i++)
            to[i * kLanes + r] = r < n ? ((const float*)from->data)[(top + r) * count + i] : 0;
      };
      const auto give = [&](const float* from, int64_t count, const lensor_view* to) {
        for (int64_t r = 0; r < n; r++)
          for (int64_t i = 0; i < count; i++)
            ((float*)to->data)[(top + r) * count + i] = from[i * kLanes + r];
      };
      take(g->w, cols, w);
      if (s.given) {
        take(g->scale, groups, scale), take(g->offset, groups, offset);
        for (int64_t i = 0; i < groups * kLanes; i++)
          if (i % kLanes >= n) scale[i] = 1;
      }
      const float* u = s.packed;
      for (int64_t first = 0; first < cols; first += s.block) {
        const int64_t last = least(cols, first + s.block);
        sweep_block(s, first, last, w, error, scale, offset);
        correct(s, u, last - first, last, w, error);
        u += tiles_behind(s, last) * s.block * kLanes;
      }
      give(w, cols, g->values);
      if (!s.given) give(scale, groups, g->scale), give(offset, groups, g->offset);
    }
  });
}

} // namespace lensor::LENSOR_ISA
