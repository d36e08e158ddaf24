// Triangular systems and the Cholesky factor, f32. Both come down to one tile: kRows unknowns of sixteen
// systems side by side, which are solved by what was solved before. Each unknown is one chain of fused
// multiply-adds in the order of solving, whatever the tile, the batch and the threads.
#include "kernels.h"
#include "lanes.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

// Unknowns in a tile: a divisor of LENSOR_PANEL, as many accumulators as the multipliers need to be busy.
#if defined(LENSOR_ISA_AVX512)
constexpr int kRows = 8;
#elif defined(LENSOR_ISA_AVX2)
constexpr int kRows = 4;
#else
constexpr int kRows = 2;
#endif
constexpr int64_t kColumns = 64; // of a factor between two meetings of the threads
constexpr int64_t kWide = 4;     // panels of right-hand sides that one thread solves together
constexpr int64_t kSmall = 256;  // matrices up to this size are one thread's each, where there are several

// A triangle's rows from the one solved next: element (r, k) at data[r * row + k * column], in the order of
// solving, which for an upper triangle is from the end.
struct Triangle {
  const float* data;
  int64_t row, column;
};

// x[done + r] = (x[done + r] - sum over k < done + r of t(r, k) x[k]) / t(r, done + r) for R rows [16].
// On the diagonal of a factor t is x itself transposed: t(r, done + r), where `lane` + r stands, is the root
// of what is there before the division. False where that is not positive.
template <int R> bool tile(Triangle t, float* x, int64_t done, int lane) {
  f32v sum[R];
  for (int r = 0; r < R; r++) sum[r] = zero();
  for (int64_t k = 0; k < done; k++) {
    const f32v solved = load(x + k * LENSOR_PANEL);
    for (int r = 0; r < R; r++) sum[r] = fma(set1(t.data[r * t.row + k * t.column]), solved, sum[r]);
  }
  for (int r = 0; r < R; r++) {
    float* place = x + (done + r) * LENSOR_PANEL;
    const f32v left = sub(load(place), sum[r]);
    float pivot;
    if (lane >= 0) {
      store(place, left);
      if (!(place[lane + r] > 0)) return false;
      pivot = sqrtf(place[lane + r]);
    } else {
      pivot = t.data[r * t.row + (done + r) * t.column];
    }
    const f32v solved = div(left, set1(pivot));
    store(place, solved);
    for (int s = r + 1; s < R; s++)
      sum[s] = fma(set1(t.data[s * t.row + (done + r) * t.column]), solved, sum[s]);
  }
  return true;
}

using Tile = bool (*)(Triangle, float*, int64_t, int);
template <int R> Tile tile_of(int64_t rows) {
  if constexpr (R == 0)
    return nullptr;
  else
    return rows == R ? (Tile)tile<R> : tile_of<R - 1>(rows);
}

// A matrix while it becomes its factor: panels of sixteen rows, each [n][16], the part above the diagonal 0.
struct Factor {
  int64_t n, panels;
  float* data;

  float* panel(int64_t p) const { return data + p * n * LENSOR_PANEL; }
};

void load_panel(const Factor& f, int64_t p, const float* from) {
  float* to = f.panel(p);
  memset(to, 0, (size_t)(f.n * LENSOR_PANEL) * sizeof(float));
  for (int64_t row = p * LENSOR_PANEL; row < least(f.n, (p + 1) * LENSOR_PANEL); row++)
    for (int64_t k = 0; k <= row; k++) to[k * LENSOR_PANEL + row % LENSOR_PANEL] = from[row * f.n + k];
}

void store_panel(const Factor& f, int64_t p, float* to) {
  const float* from = f.panel(p);
  for (int64_t row = p * LENSOR_PANEL; row < least(f.n, (p + 1) * LENSOR_PANEL); row++) {
    for (int64_t k = 0; k <= row; k++) to[row * f.n + k] = from[k * LENSOR_PANEL + row % LENSOR_PANEL];
    memset(to + row * f.n + row + 1, 0, (size_t)(f.n - row - 1) * sizeof(float));
  }
}

// Columns [begin, end) of a panel, those before them being done: row i of the factor solves L l_i = a_i.
bool advance(const Factor& f, int64_t p, int64_t begin, int64_t end) {
  for (int64_t column = begin; column < end; column += kRows) {
    const int64_t above = column / LENSOR_PANEL;
    const int lane = (int)(column % LENSOR_PANEL);
    const Triangle t{f.panel(above) + lane, 1, LENSOR_PANEL};
    if (!tile_of<kRows>(least(kRows, end - column))(t, f.panel(p), column, above == p ? lane : -1))
      return false;
  }
  return true;
}

// run(items, body) calls body(begin, end) on parts of [0, items).
template <class Run> lensor_status factorize(const Factor& f, const float* x, float* out, const Run& run) {
  lensor_status status = run(f.panels, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; p++) load_panel(f, p, x);
  });
  for (int64_t first = 0; first < f.n && status == LENSOR_OK; first += kColumns) {
    const int64_t last = least(f.n, first + kColumns);
    const int64_t below = (last + LENSOR_PANEL - 1) / LENSOR_PANEL;
    for (int64_t p = first / LENSOR_PANEL; p < below; p++)
      if (!advance(f, p, first, least(last, (p + 1) * LENSOR_PANEL))) return LENSOR_BAD_VALUE;
    status = run(f.panels - below, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; p++) advance(f, below + p, first, last);
    });
  }
  if (status != LENSOR_OK) return status;
  return run(f.panels, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; p++) store_panel(f, p, out);
  });
}

} // namespace

lensor_status cholesky(lensor_context* context, const lensor_view* x, const lensor_view* out) {
  const int64_t batch = x->shape[0], n = x->shape[1];
  if (elements(x) == 0) return LENSOR_OK;
  const int64_t panels = (n + LENSOR_PANEL - 1) / LENSOR_PANEL, size = panels * LENSOR_PANEL * n;
  const bool apart = batch > 1 && n <= kSmall;
  Scratch scratch(context);
  float* work = scratch.take<float>(size * (apart ? context->threads : 1));
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  const float* from = (const float*)x->data;
  float* to = (float*)out->data;
  lensor_status status = LENSOR_OK;
  if (apart) {
    int32_t found = LENSOR_OK;
    status =
        in_chunks(context, batch, most(1, kGrain / (n * n)), [&](int64_t begin, int64_t end, int thread) {
          const Factor f{n, panels, work + thread * size};
          for (int64_t b = begin; b < end; b++) {
            const lensor_status one =
                factorize(f, from + b * n * n, to + b * n * n,
                          [](int64_t items, const auto& body) { return body(0, items), LENSOR_OK; });
            if (one != LENSOR_OK) __atomic_store_n(&found, one, __ATOMIC_RELAXED);
          }
        });
    if (status == LENSOR_OK) status = (lensor_status)found;
  } else {
    const Factor f{n, panels, work};
    for (int64_t b = 0; b < batch && status == LENSOR_OK; b++)
      status = factorize(f, from + b * n * n, to + b * n * n, [&](int64_t items, const auto& body) {
        return in_chunks(context, items, 1, [&](int64_t begin, int64_t end, int) { body(begin, end); });
      });
  }
  return status;
}

lensor_status solve_triangular(lensor_context* context, const lensor_view* a, const lensor_view* y,
                               int32_t upper, int32_t transposed, const lensor_view* x) {
  const int64_t batch = a->shape[0], n = a->shape[1], m = y->shape[2];
  const float* matrix = (const float*)a->data;
  for (int64_t b = 0; b < batch; b++)
    for (int64_t i = 0; i < n; i++)
      if (matrix[(b * n + i) * n + i] == 0) return LENSOR_BAD_VALUE;
  if (elements(y) == 0) return LENSOR_OK;
  const int64_t panels = (m + LENSOR_PANEL - 1) / LENSOR_PANEL, groups = (panels + kWide - 1) / kWide;
  const int64_t size = n * least(panels, kWide) * LENSOR_PANEL;
  Scratch scratch(context);
  float* work = scratch.take<float>(size * context->threads);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  const bool backward = (upper != 0) != (transposed != 0);
  const int64_t sign = backward ? -1 : 1;
  const int64_t row = sign * (transposed ? 1 : n), column = sign * (transposed ? n : 1);
  const lensor_status status = in_chunks(
      context, batch * groups, most(1, kGrain / (n * n)), [&](int64_t begin, int64_t end, int thread) {
        float* solved = work + thread * size;
        for (int64_t item = begin; item < end; item++) {
          const int64_t b = item / groups, first = item % groups * kWide,
                        count = least(kWide, panels - first);
          const float* start = matrix + b * n * n + (backward ? n * n - 1 : 0);
          // The right-hand sides in the order of solving, as panels [n][16].
          const auto columns = [&](int64_t p, int64_t i) {
            return (b * n + (backward ? n - 1 - i : i)) * m + (first + p) * LENSOR_PANEL;
          };
          const auto wide = [&](int64_t p) {
            return (int)least(LENSOR_PANEL, m - (first + p) * LENSOR_PANEL);
          };
          for (int64_t p = 0; p < count; p++)
            for (int64_t i = 0; i < n; i++)
              store(solved + (p * n + i) * LENSOR_PANEL,
                    load_part((const float*)y->data + columns(p, i), wide(p), 0));
          for (int64_t i = 0; i < n; i += kRows)
            for (int64_t p = 0; p < count; p++)
              tile_of<kRows>(least(kRows, n - i))({start + i * row, row, column},
                                                  solved + p * n * LENSOR_PANEL, i, -1);
          for (int64_t p = 0; p < count; p++)
            for (int64_t i = 0; i < n; i++)
              store_part((float*)x->data + columns(p, i), load(solved + (p * n + i) * LENSOR_PANEL), wide(p));
        }
      });
  return status;
}

} // namespace lensor::LENSOR_ISA
