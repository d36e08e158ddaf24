// SparseGPT's sweep (Frantar & Alistarh 2023, arXiv 2301.00774): column after column, what is set to zero is
// made up for by the columns after it. With U upper, H^-1 = U^T U:
//   score(r, j) = (w(r, j) / U(j, j))^2,   e = w(r, j) / U(j, j) where it goes, else 0,   w(r, l) -= e U(j,
//   l) for l > j
// Masks are chosen for a block of columns before it is swept, over all rows together, or for each group of a
// row as it comes. A row's sums run over columns in their order, whatever the threads.
#include "kernels.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int kRows = 4; // that share a look at U
constexpr int kFew = 64; // scores that are chosen from one by one

struct Sweep {
  const float* u; // [cols, cols]
  int64_t cols, first, last;
  int32_t keep, of; // 0: by the block's own mask
};

// The `count`-th smallest of n numbers that are not negative, from 0: their bits have their order.
uint32_t nth_bits(const float* x, int64_t n, int64_t count, uint32_t* bins) {
  uint32_t found = 0;
  for (int shift = 16; shift >= 0; shift -= 16) {
    memset(bins, 0, 65536 * sizeof(uint32_t));
    for (int64_t i = 0; i < n; i++) {
      uint32_t bits;
      memcpy(&bits, x + i, 4);
      if (shift == 16 || bits >> 16 == found >> 16) bins[bits >> shift & 65535]++;
    }
    uint32_t bin = 0;
    for (; bin < 65535 && count >= bins[bin]; bin++) count -= bins[bin];
    found |= bin << shift;
  }
  return found;
}

// Marks with 1 the `count` smallest scores [n], of equal ones the first.
void mark(const float* score, int64_t n, int64_t count, uint8_t* mask, uint32_t* bins) {
  memset(mask, 0, (size_t)n);
  if (count <= 0) return;
  const uint32_t bits = nth_bits(score, n, count - 1, bins);
  float most;
  memcpy(&most, &bits, 4);
  int64_t below = 0;
  for (int64_t i = 0; i < n; i++) below += mask[i] = score[i] < most;
  for (int64_t i = 0; i < n && below < count; i++)
    if (score[i] == most) mask[i] = 1, below++;
}

float score_of(float w, float diagonal) {
  const float x = w / diagonal, y = x * x;
  return y == y ? y : 0;
}

// The same for few scores, without bins.
void mark_few(const float* score, int64_t n, int64_t count, uint8_t* mask) {
  memset(mask, 0, (size_t)n);
  for (int64_t gone = 0; gone < count; gone++) {
    int64_t least = -1;
    for (int64_t i = 0; i < n; i++)
      if (!mask[i] && (least < 0 || score[i] < score[least])) least = i;
    mask[least] = 1;
  }
}

// The of - keep smallest of a group of a row go.
void mark_group(const float* w, const Sweep& s, int64_t at, uint8_t* mask) {
  float score[kFew];
  for (int32_t i = 0; i < s.of; i++) score[i] = score_of(w[at + i], s.u[(at + i) * s.cols + at + i]);
  mark_few(score, s.of, s.of - s.keep, mask);
}

// Columns of the block of one row; `error` [last - first] is what each column after it is to be corrected by.
void sweep_block(const Sweep& s, float* w, uint8_t* mask, float* error) {
  for (int64_t j = s.first; j < s.last; j++) {
    if (s.of && (j - s.first) % s.of == 0) mark_group(w, s, j, mask + (j - s.first));
    const float* u = s.u + j * s.cols;
    const float e = error[j - s.first] = mask[j - s.first] ? w[j] / u[j] : 0;
    if (!mask[j - s.first]) continue;
    const f32v by = set1(-e);
    w[j] = 0;
    int64_t l = j + 1;
    for (; l + 16 <= s.last; l += 16) store(w + l, fma(by, load(u + l), load(w + l)));
    if (l < s.last) {
      const int n = (int)(s.last - l);
      store_part(w + l, fma(by, load_part(u + l, n, 0), load_part(w + l, n, 0)), n);
    }
  }
}

// Columns behind the block, of R rows.
template <int R> void correct(const Sweep& s, float* w, const float* error) {
  const int64_t width = s.last - s.first;
  for (int64_t l = s.last; l < s.cols; l += 16) {
    const int n = (int)least(16, s.cols - l);
    f32v sum[R];
    for (int r = 0; r < R; r++) sum[r] = load_part(w + r * s.cols + l, n, 0);
    for (int64_t j = 0; j < width; j++) {
      const f32v u = load_part(s.u + (s.first + j) * s.cols + l, n, 0);
      for (int r = 0; r < R; r++) sum[r] = fma(set1(-error[r * width + j]), u, sum[r]);
    }
    for (int r = 0; r < R; r++) store_part(w + r * s.cols + l, sum[r], n);
  }
}

} // namespace

lensor_status mark_smallest(lensor_context* context, const lensor_view* x, int64_t count,
                            const lensor_view* out) {
  const int64_t groups = x->shape[0], n = x->shape[1];
  if (elements(x) == 0) return LENSOR_OK;
  Scratch scratch(context);
  uint32_t* bins = scratch.take<uint32_t>(n > kFew ? 65536 * context->threads : 1);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  return in_chunks(context, groups, most(1, kGrain / n), [&](int64_t begin, int64_t end, int thread) {
    for (int64_t g = begin; g < end; g++) {
      const float* score = (const float*)x->data + g * n;
      uint8_t* mask = (uint8_t*)out->data + g * n;
      if (n > kFew)
        mark(score, n, count, mask, bins + 65536 * thread);
      else
        mark_few(score, n, count, mask);
    }
  });
}

lensor_status sparse_sweep(lensor_context* context, const lensor_view* w, const lensor_view* u, int64_t block,
                           int32_t keep, int32_t of, double sparsity, const lensor_view* out) {
  const int64_t rows = w->shape[0], cols = w->shape[1];
  if (elements(w) == 0) return LENSOR_OK;
  float* to = (float*)out->data;
  if (to != w->data) memcpy(to, w->data, (size_t)(rows * cols) * sizeof(float));
  Scratch scratch(context);
  uint8_t* mask = scratch.take<uint8_t>(rows * block);
  float* error = scratch.take<float>(rows * block);
  float* score = scratch.take<float>(of ? 1 : rows * block);
  uint32_t* bins = scratch.take<uint32_t>(of ? 1 : 65536);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  Sweep s = {(const float*)u->data, cols, 0, 0, keep, of};
  for (int64_t i = 0; i < cols; i++)
    if (!(s.u[i * cols + i] > 0)) return LENSOR_BAD_VALUE;
  for (; s.first < cols; s.first = s.last) {
    s.last = least(cols, s.first + block);
    const int64_t width = s.last - s.first;
    if (!of) {
      for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < width; j++)
          score[r * width + j] = score_of(to[r * cols + s.first + j], s.u[(s.first + j) * (cols + 1)]);
      mark(score, rows * width, (int64_t)((double)(rows * width) * sparsity), mask, bins);
    }
    const lensor_status status =
        in_chunks(context, (rows + kRows - 1) / kRows, 4, [&](int64_t begin, int64_t end, int) {
          for (int64_t r = begin * kRows; r < least(rows, end * kRows); r += kRows) {
            const int64_t some = least(kRows, rows - r);
            for (int64_t i = r; i < r + some; i++)
              sweep_block(s, to + i * cols, mask + i * width, error + i * width);
            if (some == kRows)
              correct<kRows>(s, to + r * cols, error + r * width);
            else
              for (int64_t i = r; i < r + some; i++) correct<1>(s, to + i * cols, error + i * width);
          }
        });
    if (status) return status;
  }
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
