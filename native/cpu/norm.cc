// Norms of rows and their gradients. Sums along a row are taken in 16 lanes and then across them, as rms_norm
// does it for a decoder (block.cc), so the two agree to the bit. Sums over rows run in blocks of kRows rows,
// each in row order, and the blocks are added in order; never more than kTogether blocks are kept.
#include "kernels.h"
#include "lanes.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int64_t kRows = 64;
constexpr int64_t kTogether = 64;

// f(at, n, values) for the blocks of a row in f32.
template <class F> void blocks(const lensor_view* x, int64_t row, int64_t width, const F& f) {
  float wide[kBlock];
  const char* from = (const char*)x->data + row * width * size_of(x->dtype);
  for (int64_t at = 0; at < width; at += kBlock) {
    const int64_t n = least(kBlock, width - at);
    f(at, n, as_f32(x->dtype, from + at * size_of(x->dtype), n, wide));
  }
}

float mean_of(const lensor_view* x, int64_t row, int64_t width) {
  f32v sum = zero();
  blocks(x, row, width, [&](int64_t, int64_t n, const float* v) {
    lanes(n, [&](int64_t i, auto part) { sum = add(sum, take(v + i, part)); });
  });
  return lane_sum(sum) / (float)width;
}

// y = (x - mean) scale gain + bias
void norm_row(const lensor_view* x, int64_t row, int64_t width, bool layer, const float* gain,
              const float* bias, float epsilon, const lensor_view* y) {
  const float center = layer ? mean_of(x, row, width) : 0;
  const f32v mean = set1(center);
  f32v square = zero();
  blocks(x, row, width, [&](int64_t, int64_t n, const float* v) {
    lanes(n, [&](int64_t i, auto part) {
      const f32v c = sub(take(v + i, part, center), mean);
      square = fma(c, c, square);
    });
  });
  const f32v scale = set1(1 / sqrtf(lane_sum(square) / (float)width + epsilon));
  float result[kBlock];
  char* to = (char*)y->data + row * width * size_of(y->dtype);
  blocks(x, row, width, [&](int64_t at, int64_t n, const float* v) {
    char* here = to + at * size_of(y->dtype);
    float* place = place_f32(y->dtype, here, result);
    lanes(n, [&](int64_t i, auto part) {
      f32v value = mul(sub(take(v + i, part), mean), scale);
      if (gain) value = mul(take(gain + at + i, part), value);
      if (bias) value = add(value, take(bias + at + i, part));
      give(place + i, value, part);
    });
    put_f32(y->dtype, place, n, here);
  });
}

struct Gradient {
  const lensor_view *x, *dy, *dx;
  const float* gain;
  float epsilon;
  int64_t width;
  bool layer;
};

// With c = x - mean (rms: x), r = 1 / sqrt(mean(c^2) + epsilon) and d = gain dy:
//   dx = r d - r^3 c mean(d c) - r mean(d) (layer only),   dgain += dy c r,   dbias += dy
void norm_grad_row(const Gradient& g, int64_t row, float* dgain, float* dbias) {
  const int64_t width = g.width, size = size_of(g.dx->dtype), given_size = size_of(g.dy->dtype);
  const float center = g.layer ? mean_of(g.x, row, width) : 0;
  const f32v mean = set1(center);
  f32v square = zero(), along = zero(), total = zero();
  float wide[kBlock], result[kBlock];
  const auto gradient = [&](int64_t at, int64_t n) {
    return as_f32(g.dy->dtype, (const char*)g.dy->data + (row * width + at) * given_size, n, wide);
  };
  blocks(g.x, row, width, [&](int64_t at, int64_t n, const float* v) {
    const float* dy = gradient(at, n);
    lanes(n, [&](int64_t i, auto part) {
      const f32v c = sub(take(v + i, part, center), mean);
      f32v d = take(dy + i, part);
      if (g.gain) d = mul(d, take(g.gain + at + i, part));
      square = fma(c, c, square);
      along = fma(d, c, along);
      total = add(total, d);
    });
  });
  const float count = (float)width, r = 1 / sqrtf(lane_sum(square) / count + g.epsilon);
  const f32v scale = set1(r), back = set1(-(r * r * r * (lane_sum(along) / count)));
  const f32v shift = set1(g.layer ? -(r * (lane_sum(total) / count)) : 0);
  char* to = (char*)g.dx->data + row * width * size;
  blocks(g.x, row, width, [&](int64_t at, int64_t n, const float* v) {
    const float* dy = gradient(at, n);
    char* here = to + at * size;
    float* place = place_f32(g.dx->dtype, here, result);
    lanes(n, [&](int64_t i, auto part) {
      const f32v c = sub(take(v + i, part), mean), given = take(dy + i, part);
      const f32v d = g.gain ? mul(given, take(g.gain + at + i, part)) : given;
      if (dgain) give(dgain + at + i, fma(given, mul(c, scale), take(dgain + at + i, part)), part);
      if (dbias) give(dbias + at + i, add(given, take(dbias + at + i, part)), part);
      give(place + i, fma(c, back, fma(d, scale, shift)), part);
    });
    put_f32(g.dx->dtype, place, n, here);
  });
}

} // namespace

lensor_status norm(lensor_context* context, int32_t layer, const lensor_view* x, const float* gain,
                   const float* bias, float epsilon, const lensor_view* y) {
  const int64_t width = x->shape[x->rank - 1], count = elements(x);
  if (count == 0) return LENSOR_OK;
  return in_chunks(context, count / width, most(1, kGrain / width), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++)
      norm_row(x, row, width, layer != 0, gain, layer ? bias : nullptr, epsilon, y);
  });
}

lensor_status norm_grad(lensor_context* context, int32_t layer, const lensor_view* x, const float* gain,
                        float epsilon, const lensor_view* dy, const lensor_view* dx, float* dgain,
                        float* dbias) {
  const int64_t width = x->shape[x->rank - 1], rows = width ? elements(x) / width : 0;
  const Gradient g{x, dy, dx, gain, epsilon, width, layer != 0};
  float* const sums[2] = {dgain, dbias};
  for (float* sum : sums)
    if (sum) memset(sum, 0, (size_t)width * sizeof(float));
  const int64_t count = (rows + kRows - 1) / kRows, kept = (dgain ? 1 : 0) + (dbias ? 1 : 0);
  const int64_t together = least(count, kTogether);
  Scratch scratch(context);
  float* parts = kept ? scratch.take<float>(together * kept * width) : nullptr;
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  lensor_status status = LENSOR_OK;
  for (int64_t first = 0; first < count && status == LENSOR_OK; first += together) {
    const int64_t here = least(together, count - first);
    status =
        in_chunks(context, here, most(1, kGrain / (kRows * width)), [&](int64_t begin, int64_t end, int) {
          for (int64_t block = begin; block < end; block++) {
            float* part = parts + block * kept * width;
            if (kept) memset(part, 0, (size_t)(kept * width) * sizeof(float));
            const int64_t top = (first + block) * kRows, bottom = least(rows, top + kRows);
            for (int64_t row = top; row < bottom; row++)
              norm_grad_row(g, row, dgain ? part : nullptr, dbias ? part + (kept - 1) * width : nullptr);
          }
        });
    for (int64_t block = 0; block < here; block++) {
      const float* part = parts + block * kept * width;
      for (float* sum : sums) {
        if (!sum) continue;
        lanes(width, [&](int64_t i, auto rest) {
          give(sum + i, add(take(sum + i, rest), take(part + i, rest)), rest);
        });
        part += width;
      }
    }
  }
  return status;
}

} // namespace lensor::LENSOR_ISA
