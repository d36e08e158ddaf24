// What stands between the matrices of a decoder block. Rows are independent of each other; a row's sum of
// squares is taken in 16 lanes along it and then across them, which depends on its width alone.
#include "kernels.h"

namespace lensor::LENSOR_ISA {

namespace {

struct Norm {
  const float* x;
  const float* gain;
  float epsilon;
  int64_t width;
  float* out;
};

void norm_rows(void* arg, int64_t begin, int64_t end, int32_t) {
  const Norm* norm = (const Norm*)arg;
  const int64_t width = norm->width, whole = width / 16 * 16;
  const int rest = (int)(width - whole);
  for (int64_t row = begin; row < end; row++) {
    const float* x = norm->x + row * width;
    float* out = norm->out + row * width;
    f32v sum = zero();
    for (int64_t i = 0; i < whole; i += 16) sum = fma(load(x + i), load(x + i), sum);
    if (rest) {
      const f32v v = load_part(x + whole, rest, 0);
      sum = fma(v, v, sum);
    }
    const f32v scale = set1(1 / sqrtf(lane_sum(sum) / (float)width + norm->epsilon));
    for (int64_t i = 0; i < whole; i += 16)
      store(out + i, mul(load(norm->gain + i), mul(load(x + i), scale)));
    if (rest)
      store_part(out + whole,
                 mul(load_part(norm->gain + whole, rest, 0), mul(load_part(x + whole, rest, 0), scale)),
                 rest);
  }
}

struct Rope {
  float* x;
  int64_t stride;
  int32_t heads, head_width;
  const float *cos, *sin;
};

void rope_rows(void* arg, int64_t begin, int64_t end, int32_t) {
  const Rope* rope = (const Rope*)arg;
  const int half = rope->head_width / 2;
  for (int64_t row = begin; row < end; row++) {
    const float *c = rope->cos + row * half, *s = rope->sin + row * half;
    for (int head = 0; head < rope->heads; head++) {
      float* a = rope->x + row * rope->stride + head * rope->head_width;
      float* b = a + half;
      for (int i = 0; i < half; i += 16) {
        const int n = half - i < 16 ? half - i : 16;
        const f32v x = load_part(a + i, n, 0), y = load_part(b + i, n, 0);
        const f32v cosine = load_part(c + i, n, 0), sine = load_part(s + i, n, 0);
        store_part(a + i, sub(mul(x, cosine), mul(y, sine)), n);
        store_part(b + i, add(mul(y, cosine), mul(x, sine)), n);
      }
    }
  }
}

struct Gate {
  float* gate;
  const float* up;
  int64_t count;
};

void gate_parts(void* arg, int64_t begin, int64_t end, int32_t) {
  const Gate* all = (const Gate*)arg;
  end = end * 64 < all->count ? end * 64 : all->count;
  for (int64_t i = begin * 64; i < end; i += 16) {
    const int n = (int)(end - i < 16 ? end - i : 16);
    const f32v g = load_part(all->gate + i, n, 0);
    const f32v sigmoid = div(set1(1), add(set1(1), vexp(sub(zero(), g))));
    store_part(all->gate + i, mul(mul(g, sigmoid), load_part(all->up + i, n, 0)), n);
  }
}

} // namespace

lensor_status rms_norm(lensor_context* context, const float* x, const float* gain, float epsilon,
                       int64_t rows, int64_t width, float* out) {
  Norm norm = {x, gain, epsilon, width, out};
  context->parallel(context, rows, 16, norm_rows, &norm);
  return LENSOR_OK;
}

lensor_status rope(lensor_context* context, float* x, int64_t rows, int64_t stride, int32_t heads,
                   int32_t head_width, const float* cos, const float* sin) {
  Rope all = {x, stride, heads, head_width, cos, sin};
  context->parallel(context, rows, 16, rope_rows, &all);
  return LENSOR_OK;
}

lensor_status silu_mul(lensor_context* context, float* gate, const float* up, int64_t count) {
  Gate all = {gate, up, count};
  context->parallel(context, (count + 63) / 64, 64, gate_parts, &all);
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
