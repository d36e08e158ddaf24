// Rows of logits against their targets: log-sum-exp, loss, and the gradient in place of the logits. A row is
// read from memory once; its other passes find it in the cache. Sums run in 16 lanes along blocks, blocks
// left to right in double.
#include "kernels.h"
#include "lanes.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

float largest(const float* x, int64_t n) {
  const float worst = -__builtin_inff();
  f32v best[4] = {set1(worst), set1(worst), set1(worst), set1(worst)};
  int64_t i = 0;
  for (; i + 64 <= n; i += 64)
    for (int j = 0; j < 4; j++) best[j] = vmax(best[j], load(x + i + 16 * j));
  lanes(n - i, [&](int64_t at, auto part) { best[0] = vmax(best[0], take(x + i + at, part, worst)); });
  return lane_max(vmax(vmax(best[0], best[1]), vmax(best[2], best[3])));
}

// The sum of exp(x - shift), which replaces x where `keep`; and the sum of x.
template <bool keep> double exponentials(float* x, int64_t n, float shift, double* plain) {
  const float nothing = -__builtin_inff();
  const f32v less = set1(shift);
  double total = 0;
  *plain = 0;
  for (int64_t at = 0; at < n; at += kBlock) {
    f32v sum = zero(), values = zero();
    float* block = x + at;
    lanes(least(kBlock, n - at), [&](int64_t i, auto part) {
      values = add(values, take(block + i, part));
      const f32v e = vexp(sub(take(block + i, part, nothing), less));
      sum = add(sum, e);
      if (keep) give(block + i, e, part);
    });
    total += (double)lane_sum(sum);
    *plain += (double)lane_sum(values);
  }
  return total;
}

void loss_row(const lensor_loss_rows* rows, int64_t row) {
  const int64_t n = rows->classes, target = rows->targets[row];
  float* x = rows->logits + row * n;
  const float top = target != rows->ignore || rows->log_sum_exp ? largest(x, n) : 0;
  double plain;
  if (target == rows->ignore) {
    if (rows->log_sum_exp)
      rows->log_sum_exp[row] = (float)((double)top + ::log(exponentials<false>(x, n, top, &plain)));
    if (rows->loss) rows->loss[row] = 0;
    if (rows->factor) memset(x, 0, (size_t)n * sizeof(float));
    return;
  }
  const double chosen = (double)x[target], smoothing = (double)rows->smoothing;
  const double total =
      rows->factor ? exponentials<true>(x, n, top, &plain) : exponentials<false>(x, n, top, &plain);
  const double lse = (double)top + ::log(total);
  if (rows->log_sum_exp) rows->log_sum_exp[row] = (float)lse;
  double loss = lse - (1 - smoothing) * chosen;
  if (smoothing != 0) loss -= smoothing * (plain / (double)n);
  if (rows->loss) rows->loss[row] = (float)loss;
  if (!rows->factor) return;
  // (softmax - smoothing / classes) factor everywhere, and (1 - smoothing) factor less at the target.
  const double factor = (double)rows->factor[row];
  const f32v scale = set1((float)(factor / total)), level = set1((float)(-smoothing / (double)n * factor));
  const float at_target = x[target];
  lanes(n, [&](int64_t i, auto part) { give(x + i, fma(take(x + i, part), scale, level), part); });
  x[target] = (float)(((double)at_target / total - (1 - smoothing) - smoothing / (double)n) * factor);
}

} // namespace

lensor_status loss_rows(lensor_context* context, const lensor_loss_rows* rows) {
  for (int64_t row = 0; row < rows->rows; row++) {
    const int64_t target = rows->targets[row];
    if (target != rows->ignore && (target < 0 || target >= rows->classes)) return LENSOR_BAD_INDEX;
  }
  if (rows->classes == 0) return LENSOR_OK;
  return in_chunks(context, rows->rows, most(1, kGrain / rows->classes),
                   [&](int64_t begin, int64_t end, int) {
                     for (int64_t row = begin; row < end; row++) loss_row(rows, row);
                   });
}

} // namespace lensor::LENSOR_ISA
