// Symmetric systems in f64, for fits whose columns are nearly multiples of each other: sums of products, the
// Cholesky factor and its solutions. Everything large is cut into tiles of 32 x 32, and a tile is one chain
// of additions along its depth, whatever the threads.
#include "match.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

#if defined(LENSOR_ISA_AVX512)
constexpr int kDown = 4, kAcross8 = 4; // accumulators in registers: rows, and columns of eight
#else
constexpr int kDown = 2, kAcross8 = 2;
#endif
constexpr int64_t kDepth = 64;
constexpr double kNoPart = 1e150; // a pivot that leaves nothing of what it divides

// c[32][32] +-= a^T b, both [depth][32].
template <bool minus>
void tile_product(int64_t depth, const double* a, const double* b, double* c, int64_t stride) {
  for (int64_t r0 = 0; r0 < kTile; r0 += kDown)
    for (int64_t c0 = 0; c0 < kTile; c0 += 8 * kAcross8) {
      f64v acc[kDown][kAcross8];
      double* at = c + r0 * stride + c0;
#pragma GCC unroll 4
      for (int r = 0; r < kDown; r++)
#pragma GCC unroll 4
        for (int l = 0; l < kAcross8; l++) acc[r][l] = load8(at + r * stride + 8 * l);
      for (int64_t k = 0; k < depth; k++) {
        f64v right[kAcross8];
#pragma GCC unroll 4
        for (int l = 0; l < kAcross8; l++) right[l] = load8(b + k * kTile + c0 + 8 * l);
#pragma GCC unroll 4
        for (int r = 0; r < kDown; r++) {
          const f64v left = set8(a[k * kTile + r0 + r]);
#pragma GCC unroll 4
          for (int l = 0; l < kAcross8; l++)
            acc[r][l] = minus ? minus8(acc[r][l], left, right[l]) : plus8(acc[r][l], left, right[l]);
        }
      }
#pragma GCC unroll 4
      for (int r = 0; r < kDown; r++)
#pragma GCC unroll 4
        for (int l = 0; l < kAcross8; l++) store8(at + r * stride + 8 * l, acc[r][l]);
    }
}

// to[depth][32] of columns [first, first + 32) of x, of which there are n.
void pack_tile(const float* x, int64_t along, int64_t down, int64_t depth, int64_t first, int64_t n,
               double* to) {
  const int64_t some = least(kTile, n - first);
  for (int64_t k = 0; k < depth; k++, to += kTile) {
    const float* from = x + k * along + first * down;
    int64_t i = 0;
    if (down == 1)
      for (; i + 8 <= some; i += 8) store8(to + i, widen8(from + i));
    for (; i < some; i++) to[i] = from[i * down];
    for (; i < kTile; i++) to[i] = 0;
  }
}

} // namespace

lensor_status gram(lensor_context* context, int64_t n, int64_t depth, const float* x, int64_t along,
                   int64_t down, double* g) {
  const int64_t tiles = tiled(n) / kTile, stride = tiled(n), size = 2 * kDepth * kTile;
  Scratch room(context);
  double* packed = room.take<double>(context->threads * size);
  if (room.failed()) return LENSOR_OUT_OF_MEMORY;
  // The lowest row of tiles is the longest: it goes first, so that no thread is left with it alone.
  return in_chunks(context, tiles, 1, [&](int64_t begin, int64_t end, int32_t thread) {
    double *a = packed + thread * size, *b = a + kDepth * kTile;
    for (int64_t row = tiles - 1 - begin; row > tiles - 1 - end; row--) {
      double* to = g + row * kTile * stride;
      for (int64_t r = 0; r < kTile; r++) memset(to + r * stride, 0, (size_t)stride * sizeof(double));
      for (int64_t k = 0; k < depth; k += kDepth) {
        const int64_t some = least(kDepth, depth - k);
        pack_tile(x + k * along, along, down, some, row * kTile, n, a);
        for (int64_t column = 0; column <= row; column++) {
          if (column < row) pack_tile(x + k * along, along, down, some, column * kTile, n, b);
          tile_product<false>(some, a, column < row ? b : a, to + column * kTile, stride);
        }
      }
    }
  });
}

namespace {

// The first columns of a factor's tile on the diagonal, left to right.
void factorize_tile(int64_t n, double* g, int64_t stride, const double* before, double least) {
  for (int64_t j = 0; j < n; j++) {
    double* row = g + j * stride;
    for (int64_t i = 0; i <= j; i++) {
      double sum = row[i];
      const double* other = g + i * stride;
      for (int64_t k = 0; k < i; k++) sum -= row[k] * other[k];
      if (i < j)
        row[i] = sum / other[i];
      else
        row[j] = sum > least * before[j] ? sqrt(sum) : kNoPart;
    }
  }
}

// Rows below it: packed [32][32], each lane a row, becomes x L^-T.
void below(int64_t n, const double* l, int64_t stride, double* packed) {
  for (int64_t j = 0; j < n; j++)
    for (int64_t lane = 0; lane < kTile; lane += 8) {
      f64v sum = load8(packed + j * kTile + lane);
      for (int64_t k = 0; k < j; k++)
        sum = minus8(sum, set8(l[j * stride + k]), load8(packed + k * kTile + lane));
      double some[8];
      store8(some, sum);
      for (int i = 0; i < 8; i++) packed[j * kTile + lane + i] = some[i] / l[j * stride + j];
    }
}

} // namespace

lensor_status factorize(lensor_context* context, int64_t n, double* g, double least) {
  const int64_t stride = tiled(n), tiles = stride / kTile;
  Scratch room(context);
  double* before = room.take<double>(stride);
  double* packed = room.take<double>(stride * kTile); // [tiles][32 columns][32 rows]
  if (room.failed()) return LENSOR_OUT_OF_MEMORY;
  for (int64_t i = 0; i < n; i++) before[i] = g[i * stride + i];
  for (int64_t first = 0; first < tiles; first++) {
    const int64_t at = first * kTile, width = n - at < kTile ? n - at : kTile, rest = tiles - first - 1;
    double* corner = g + at * stride + at;
    factorize_tile(width, corner, stride, before + at, least);
    lensor_status status = in_chunks(context, rest, 1, [&](int64_t begin, int64_t end, int32_t) {
      for (int64_t t = first + 1 + begin; t < first + 1 + end; t++) {
        double *to = packed + t * kTile * kTile, *rows = g + t * kTile * stride + at;
        for (int64_t r = 0; r < kTile; r++)
          for (int64_t k = 0; k < kTile; k++) to[k * kTile + r] = rows[r * stride + k];
        below(width, corner, stride, to);
        for (int64_t r = 0; r < kTile; r++)
          for (int64_t k = 0; k < kTile; k++) rows[r * stride + k] = to[k * kTile + r];
      }
    });
    if (status == LENSOR_OK)
      status = in_chunks(context, rest, 1, [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t t = tiles - 1 - begin; t > tiles - 1 - end; t--)
          for (int64_t column = first + 1; column <= t; column++)
            tile_product<true>(kTile, packed + t * kTile * kTile, packed + column * kTile * kTile,
                               g + t * kTile * stride + column * kTile, stride);
      });
    if (status != LENSOR_OK) return status;
  }
  return LENSOR_OK;
}

lensor_status solve_factor(lensor_context* context, int64_t n, const double* l, double* x, int64_t columns) {
  const int64_t stride = tiled(n);
  return in_chunks(context, columns / 8, 1, [&](int64_t begin, int64_t end, int32_t) {
    for (int64_t c = begin * 8; c < end * 8; c += 8) {
      const auto divided = [&](f64v y, double by) __attribute__((always_inline)) {
        double some[8];
        store8(some, y);
        for (int i = 0; i < 8; i++) some[i] /= by;
        return load8(some);
      };
      // Two chains, of the even and the odd ones, so that one need not wait for the other.
      for (int64_t i = 0; i < n; i++) {
        f64v even = load8(x + i * columns + c), odd = set8(0);
        const double* row = l + i * stride;
        int64_t k = 0;
        for (; k + 2 <= i; k += 2) {
          even = minus8(even, set8(row[k]), load8(x + k * columns + c));
          odd = minus8(odd, set8(row[k + 1]), load8(x + (k + 1) * columns + c));
        }
        if (k < i) even = minus8(even, set8(row[k]), load8(x + k * columns + c));
        store8(x + i * columns + c, divided(add8(even, odd), row[i]));
      }
      for (int64_t i = n; i-- > 0;) {
        const double* row = l + i * stride;
        const f64v solved = divided(load8(x + i * columns + c), row[i]);
        store8(x + i * columns + c, solved);
        for (int64_t k = 0; k < i; k++)
          store8(x + k * columns + c, minus8(load8(x + k * columns + c), set8(row[k]), solved));
      }
    }
  });
}

void solve_one(int64_t n, const double* l, int64_t stride, double* x) {
  for (int64_t i = 0; i < n; i++) {
    double sum = x[i];
    for (int64_t k = 0; k < i; k++) sum -= l[i * stride + k] * x[k];
    x[i] = sum / l[i * stride + i];
  }
  for (int64_t i = n; i-- > 0;) {
    x[i] /= l[i * stride + i];
    for (int64_t k = 0; k < i; k++) x[k] -= l[i * stride + k] * x[i];
  }
}

double largest_eigenvalue(int64_t n, const double* g, int64_t stride, double* room) {
  constexpr int kRounds = 8;
  double *x = room, *y = room + n, length = sqrt((double)n), value = 0;
  for (int64_t i = 0; i < n; i++) x[i] = 1 / length;
  for (int round = 0; round < kRounds; round++) {
    for (int64_t i = 0; i < n; i++) {
      const double* row = g + i * stride;
      double sum = row[i] * x[i];
      for (int64_t k = 0; k < i; k++) {
        sum += row[k] * x[k];
        y[k] += row[k] * x[i];
      }
      y[i] = sum;
    }
    value = 0;
    for (int64_t i = 0; i < n; i++) value += y[i] * y[i];
    value = sqrt(value);
    if (!(value > 0)) return 0;
    for (int64_t i = 0; i < n; i++) x[i] = y[i] / value;
  }
  return value;
}

} // namespace lensor::LENSOR_ISA
