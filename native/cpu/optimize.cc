// One step of an optimizer on one parameter, and the sum of squares that clipping asks for. Element by
// element, so no order matters but that of the sum: 16 lanes along blocks, parts of fixed length left to
// right. A step is never interrupted half way: a parameter that is part new and part old could not be trained
// on.
#include "eight_bits.h"
#include "kernels.h"
#include "lanes.h"
#include "scratch.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int64_t kPart = 128 * kBlock;

using Step = lensor_optimizer_step;

// body(begin, end) over chunks of the parameter; with no look for an interrupt.
template <class F> void in_steps(lensor_context* context, int64_t count, const F& body) {
  context->parallel(
      context, (count + kBlock - 1) / kBlock, kGrain / kBlock,
      [](void* arg, int64_t begin, int64_t end, int32_t) {
        for (int64_t block = begin; block < end; block++) (*(const F*)arg)(block* kBlock);
      },
      (void*)&body);
}

// A block of the gradient from element `at`, as f32; lanes of it are scaled as they are read.
const float* gradient_of(const Step* s, int64_t at, int64_t n, float* wide) {
  return as_f32(s->gradient_dtype, (const char*)s->gradient + at * size_of(s->gradient_dtype), n, wide);
}

// g = scale g + decay p;   b = momentum b + (1 - dampening) g, in the first step b = g;
// p -= lr (nesterov ? g + momentum b : b)                                  (torch.optim.SGD)
void sgd(const Step* s, int64_t at, int64_t n) {
  float wide[kBlock];
  const float* gradient = gradient_of(s, at, n, wide);
  float *p = s->parameter + at, *buffer = s->state1 ? s->state1 + at : nullptr;
  const f32v scale = set1(s->gradient_scale), decay = set1(s->weight_decay), rate = set1(-s->lr);
  const f32v momentum = set1(s->momentum), fresh = set1((float)(1 - (double)s->dampening));
  const bool first = s->step == 1;
  lanes(n, [&](int64_t i, auto part) {
    const f32v old = take(p + i, part);
    const f32v g = fma(old, decay, mul(take(gradient + i, part), scale));
    f32v move = g;
    if (buffer) {
      const f32v b = first ? g : fma(take(buffer + i, part), momentum, mul(g, fresh));
      give(buffer + i, b, part);
      move = s->nesterov ? fma(b, momentum, g) : b;
    }
    give(p + i, fma(move, rate, old), part);
  });
}

struct Adam {
  f32v scale, keep, beta1, fresh1, beta2, fresh2, rate, root, epsilon;
};

Adam adam_of(const Step* s) {
  const double beta1 = (double)s->beta1, beta2 = (double)s->beta2, lr = (double)s->lr;
  const double bias1 = 1 - pow(beta1, (double)s->step), bias2 = 1 - pow(beta2, (double)s->step);
  return {set1(s->gradient_scale),
          set1((float)(1 - lr * (double)s->weight_decay)),
          set1(s->beta1),
          set1((float)(1 - beta1)),
          set1(s->beta2),
          set1((float)(1 - beta2)),
          set1((float)(-lr / bias1)),
          set1((float)(1 / sqrt(bias2))),
          set1(s->epsilon)};
}

// p (1 - lr decay) - lr m / bias1 / (sqrt(v) / sqrt(bias2) + epsilon), with
// m = beta1 m + (1 - beta1) g and v = beta2 v + (1 - beta2) g^2            (Loshchilov and Hutter 2019)
LENSOR_INLINE f32v adam_step(const Adam& a, f32v p, f32v g, f32v& m, f32v& v) {
  m = fma(m, a.beta1, mul(g, a.fresh1));
  v = fma(v, a.beta2, mul(mul(g, g), a.fresh2));
  return fma(div(m, fma(vsqrt(v), a.root, a.epsilon)), a.rate, mul(p, a.keep));
}

void adamw(const Step* s, const Adam& a, int64_t at, int64_t n) {
  float wide[kBlock];
  const float* gradient = gradient_of(s, at, n, wide);
  float *p = s->parameter + at, *first = s->state1 + at, *second = s->state2 + at;
  lanes(n, [&](int64_t i, auto part) {
    f32v m = take(first + i, part), v = take(second + i, part);
    const f32v g = mul(take(gradient + i, part), a.scale);
    give(p + i, adam_step(a, take(p + i, part), g, m, v), part);
    give(first + i, m, part);
    give(second + i, v, part);
  });
}

// The same with both moments in 8 bits, a scale for each kCoded of them. The step is taken from the moments
// before they are rounded.
void adamw8(const Step* s, const Adam& a, int64_t from, int64_t count) {
  float wide[kBlock];
  const float* gradient = gradient_of(s, from, count, wide);
  for (int64_t at = from; at < from + count; at += kCoded) {
    const int64_t n = least(kCoded, from + count - at), block = at / kCoded;
    float first[kCoded], second[kCoded];
    decode(kSigned, s->code1 + at, s->scale1[block], n, first);
    decode(kUnsigned, s->code2 + at, s->scale2[block], n, second);
    float* p = s->parameter + at;
    lanes(n, [&](int64_t i, auto part) {
      f32v m = take(first + i, part), v = take(second + i, part);
      const f32v g = mul(take(gradient + at - from + i, part), a.scale);
      give(p + i, adam_step(a, take(p + i, part), g, m, v), part);
      give(first + i, m, part);
      give(second + i, v, part);
    });
    encode(kSigned, first, n, s->code1 + at, s->scale1 + block);
    encode(kUnsigned, second, n, s->code2 + at, s->scale2 + block);
  }
}

// p (1 - lr decay) - lr sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g   (Chen et al. 2023)
void lion(const Step* s, int64_t at, int64_t n) {
  float wide[kBlock];
  const float* gradient = gradient_of(s, at, n, wide);
  float *p = s->parameter + at, *momentum = s->state1 + at;
  const double lr = (double)s->lr;
  const f32v scale = set1(s->gradient_scale), keep = set1((float)(1 - lr * (double)s->weight_decay));
  const f32v beta1 = set1(s->beta1), fresh1 = set1((float)(1 - (double)s->beta1));
  const f32v beta2 = set1(s->beta2), fresh2 = set1((float)(1 - (double)s->beta2));
  const f32v up = set1(s->lr), down = set1(-s->lr);
  lanes(n, [&](int64_t i, auto part) {
    const f32v g = mul(take(gradient + i, part), scale), m = take(momentum + i, part);
    const f32v mixed = fma(m, beta1, mul(g, fresh1));
    const f32v move = where_gt(mixed, zero(), down, where_gt(zero(), mixed, up, zero()));
    give(p + i, fma(take(p + i, part), keep, where_nan(mixed, mixed, move)), part);
    give(momentum + i, fma(m, beta2, mul(g, fresh2)), part);
  });
}

} // namespace

lensor_status optimizer_step(lensor_context* context, const lensor_optimizer_step* s) {
  const Adam adam = adam_of(s);
  in_steps(context, s->count, [&](int64_t at) {
    const int64_t n = least(kBlock, s->count - at);
    switch (s->kind) {
    case LENSOR_SGD:
      return sgd(s, at, n);
    case LENSOR_ADAMW:
      return adamw(s, adam, at, n);
    case LENSOR_ADAMW8:
      return adamw8(s, adam, at, n);
    default:
      return lion(s, at, n);
    }
  });
  return LENSOR_OK;
}

lensor_status sum_squares(lensor_context* context, const lensor_view* x, float* out) {
  const int64_t count = elements(x), parts = (count + kPart - 1) / kPart, size = size_of(x->dtype);
  *out = 0;
  if (count == 0) return LENSOR_OK;
  Scratch scratch(context);
  double* sums = scratch.take<double>(parts);
  if (scratch.failed()) return LENSOR_OUT_OF_MEMORY;
  const lensor_status status = in_chunks(context, parts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t part = begin; part < end; part++) {
      double total = 0;
      for (int64_t at = part * kPart; at < least(count, (part + 1) * kPart); at += kBlock) {
        float wide[kBlock];
        const int64_t n = least(kBlock, count - at);
        const float* v = as_f32(x->dtype, (const char*)x->data + at * size, n, wide);
        f32v sum = zero();
        lanes(n, [&](int64_t i, auto rest) {
          const f32v value = take(v + i, rest);
          sum = fma(value, value, sum);
        });
        total += (double)lane_sum(sum);
      }
      sums[part] = total;
    }
  });
  double total = 0;
  for (int64_t part = 0; part < parts; part++) total += sums[part];
  *out = (float)total;
  return status;
}

} // namespace lensor::LENSOR_ISA
