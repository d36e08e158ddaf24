// Reductions over the last axis of contiguous [rows, n] views: sum, mean, extremes and where they are,
// softmax. The order of additions is fixed by n alone: 16 lanes along a block, blocks left to right in
// double, and parts of kPart elements (which threads may share out) left to right again.
#include "kernels.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int64_t kPart = 128 * kBlock;

// What part of a row came to: a sum, or an extreme value and the index at which it first stands.
struct Partial {
  double real;
  int64_t whole;
  int64_t index;
};

bool is_extreme(lensor_reduction op) { return op >= LENSOR_MAX; }
bool is_max(lensor_reduction op) { return op == LENSOR_MAX || op == LENSOR_ARGMAX; }

double sum_block(const float* x, int64_t n) {
  f32v sum = zero();
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) sum = add(sum, load(x + i));
  if (i < n) sum = add(sum, load_part(x + i, (int)(n - i), 0));
  return (double)lane_sum(sum);
}

// The largest (or smallest) value; NaN as soon as there is one.
float extreme_block(const float* x, int64_t n, bool largest) {
  const float worst = largest ? -__builtin_inff() : __builtin_inff();
  f32v best = set1(worst);
  for (int64_t i = 0; i < n; i += 16) {
    f32v v = i + 16 <= n ? load(x + i) : load_part(x + i, (int)(n - i), worst);
    best = where_nan(v, v, largest ? where_gt(v, best, v, best) : where_gt(best, v, v, best));
  }
  float lanes[16];
  store(lanes, best);
  for (int i = 1; i < 16; i++)
    if (lanes[i] != lanes[i] || (largest ? lanes[i] > lanes[0] : lanes[i] < lanes[0])) lanes[0] = lanes[i];
  return lanes[0];
}

// Whether b comes before a: better, or the first NaN. Equal values leave the earlier one.
bool beats(double b, double a, bool largest) { return a == a && (b != b || (largest ? b > a : b < a)); }

void reduce_floats(lensor_reduction op, int32_t dtype, const char* from, int64_t begin, int64_t end,
                   Partial* out) {
  float wide[kBlock];
  const int64_t size = size_of(dtype);
  double total = 0, best = 0;
  int64_t index = -1;
  for (int64_t at = begin; at < end; at += kBlock) {
    const int64_t n = least(kBlock, end - at);
    const float* x = as_f32(dtype, from + at * size, n, wide);
    if (!is_extreme(op)) {
      total += sum_block(x, n);
      continue;
    }
    const float value = extreme_block(x, n, is_max(op));
    if (index >= 0 && !beats(value, best, is_max(op))) continue;
    int64_t i = 0;
    while (x[i] != value && x[i] == x[i]) i++;
    best = value;
    index = at + i;
  }
  *out = {is_extreme(op) ? best : total, 0, index};
}

void reduce_whole(lensor_reduction op, int32_t dtype, const char* from, int64_t begin, int64_t end,
                  Partial* out) {
  int64_t whole[kBlock], best = 0, index = -1;
  const int64_t size = size_of(dtype);
  uint64_t total = 0;
  for (int64_t at = begin; at < end; at += kBlock) {
    const int64_t n = least(kBlock, end - at);
    get_i64(dtype, from + at * size, n, whole);
    if (!is_extreme(op)) {
      for (int64_t i = 0; i < n; i++) total += (uint64_t)whole[i];
      continue;
    }
    for (int64_t i = 0; i < n; i++)
      if (index < 0 || (is_max(op) ? whole[i] > best : whole[i] < best)) {
        best = whole[i];
        index = at + i;
      }
  }
  *out = {0, is_extreme(op) ? best : (int64_t)total, index};
}

// A row's parts, left to right.
Partial merge(lensor_reduction op, bool real, const Partial* parts, int64_t count) {
  Partial all = parts[0];
  for (int64_t i = 1; i < count; i++) {
    const Partial& part = parts[i];
    if (!is_extreme(op)) {
      all.real += part.real;
      all.whole = (int64_t)((uint64_t)all.whole + (uint64_t)part.whole);
    } else if (real         ? beats(part.real, all.real, is_max(op))
               : is_max(op) ? part.whole > all.whole
                            : part.whole < all.whole) {
      all = part;
    }
  }
  return all;
}

void finish(lensor_reduction op, const Partial& all, bool real, int64_t n, const lensor_view* out,
            int64_t row) {
  char* to = (char*)out->data + row * size_of(out->dtype);
  if (op == LENSOR_ARGMAX || op == LENSOR_ARGMIN || !real)
    return put_i64(out->dtype, op == LENSOR_ARGMAX || op == LENSOR_ARGMIN ? &all.index : &all.whole, 1, to);
  const float value = (float)(op == LENSOR_MEAN ? all.real / (double)n : all.real);
  put_f32(out->dtype, &value, 1, to);
}

// n values of a row from `at`, f32, where the row's dtype is a float.
const float* row_block(const lensor_view* x, int64_t row, int64_t width, int64_t at, int64_t n, float* wide) {
  return as_f32(x->dtype, (const char*)x->data + (row * width + at) * size_of(x->dtype), n, wide);
}

float max_block(const float* x, int64_t n) {
  f32v best = set1(-__builtin_inff());
  for (int64_t i = 0; i < n; i += 16)
    best = vmax(best, i + 16 <= n ? load(x + i) : load_part(x + i, (int)(n - i), -__builtin_inff()));
  return lane_max(best);
}

// The sum of exp(x - shift), kept in `to` unless that is NULL.
double exp_block(const float* x, int64_t n, float shift, float* to) {
  const f32v less = set1(shift);
  f32v sum = zero();
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f32v e = vexp(sub(load(x + i), less));
    if (to) store(to + i, e);
    sum = add(sum, e);
  }
  if (i < n) {
    const int rest = (int)(n - i);
    f32v e = vexp(sub(load_part(x + i, rest, -__builtin_inff()), less));
    if (to) store_part(to + i, e, rest);
    sum = add(sum, e);
  }
  return (double)lane_sum(sum);
}

void scale_block(const float* x, int64_t n, float total, float* to) {
  for (int64_t i = 0; i < n; i++) to[i] = x[i] / total;
}

void softmax_row(const lensor_view* x, const lensor_view* out, int64_t row, int64_t width, bool log) {
  float wide[kBlock], result[kBlock];
  const bool direct = out->dtype == LENSOR_F32;
  const int64_t size = size_of(out->dtype);
  char* to = (char*)out->data + row * width * size;
  float top = -__builtin_inff();
  double total = 0;
  for (int64_t at = 0; at < width; at += kBlock) {
    const int64_t n = least(kBlock, width - at);
    const float most_here = max_block(row_block(x, row, width, at, n, wide), n);
    top = most_here > top ? most_here : top;
  }
  for (int64_t at = 0; at < width; at += kBlock) {
    const int64_t n = least(kBlock, width - at);
    float* keep = direct && !log ? (float*)to + at : nullptr;
    total += exp_block(row_block(x, row, width, at, n, wide), n, top, keep);
  }
  const float sum = (float)total, logarithm = logf(sum);
  for (int64_t at = 0; at < width; at += kBlock) {
    const int64_t n = least(kBlock, width - at);
    float* place = direct ? (float*)to + at : result;
    if (log) {
      const float* values = row_block(x, row, width, at, n, wide);
      for (int64_t i = 0; i < n; i++) place[i] = (values[i] - top) - logarithm;
    } else {
      if (!direct) exp_block(row_block(x, row, width, at, n, wide), n, top, place);
      scale_block(place, n, sum, place);
    }
    put_f32(out->dtype, place, n, to + at * size);
  }
}

} // namespace

lensor_status reduce(lensor_context* context, lensor_reduction op, const lensor_view* x,
                     const lensor_view* out) {
  const int64_t n = x->shape[x->rank - 1], rows = elements(out);
  if (rows == 0) return LENSOR_OK;
  const bool real = is_float(x->dtype);
  const int64_t parts = most(1, (n + kPart - 1) / kPart), size = size_of(x->dtype);
  auto run = [&](int64_t row, int64_t part, Partial* to) {
    const char* from = (const char*)x->data + row * n * size;
    const int64_t begin = part * kPart, end = least(n, begin + kPart);
    if (real)
      reduce_floats(op, x->dtype, from, begin, end, to);
    else
      reduce_whole(op, x->dtype, from, begin, end, to);
  };
  if (parts == 1)
    return in_chunks(context, rows, most(1, kGrain / most(1, n)), [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; row++) {
        Partial all;
        run(row, 0, &all);
        finish(op, all, real, n, out, row);
      }
    });
  Scratch scratch(context);
  Partial* partial = scratch.take<Partial>(rows * parts);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  const lensor_status status = in_chunks(context, rows * parts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t item = begin; item < end; item++) run(item / parts, item % parts, partial + item);
  });
  if (status == LENSOR_OK)
    for (int64_t row = 0; row < rows; row++)
      finish(op, merge(op, real, partial + row * parts, parts), real, n, out, row);
  return status;
}

lensor_status softmax(lensor_context* context, const lensor_view* x, const lensor_view* out, int32_t log) {
  const int64_t width = x->shape[x->rank - 1], count = elements(out);
  if (count == 0) return LENSOR_OK;
  return in_chunks(context, count / width, most(1, kGrain / width), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) softmax_row(x, out, row, width, log != 0);
  });
}

float log_sum_exp(const float* x, int64_t n) {
  float top = -__builtin_inff();
  double total = 0;
  for (int64_t at = 0; at < n; at += kBlock) {
    const float most_here = max_block(x + at, least(kBlock, n - at));
    top = most_here > top ? most_here : top;
  }
  for (int64_t at = 0; at < n; at += kBlock) total += exp_block(x + at, least(kBlock, n - at), top, nullptr);
  return top + logf((float)total);
}

} // namespace lensor::LENSOR_ISA
