// Operations element by element on views of any strides: unary, binary, where. Floats compute in f32 and
// round once; integers in their own width, where they wrap.
#include "elementary.h"
#include "kernels.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

template <class F> void each(const float* x, float* y, int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, f(load(x + i)));
  if (i < n) store_part(y + i, f(load_part(x + i, (int)(n - i), 1)), (int)(n - i));
}

template <class F> void each(const float* x, const float* y, float* z, int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(z + i, f(load(x + i), load(y + i)));
  const int rest = (int)(n - i);
  if (rest) store_part(z + i, f(load_part(x + i, rest, 1), load_part(y + i, rest, 1)), rest);
}

void unary_f32(lensor_unary op, const float* x, float* y, int64_t n) {
  switch (op) {
  case LENSOR_NEG:
    return each(x, y, n, [](f32v a) { return mul(a, set1(-1.0f)); });
  case LENSOR_ABS:
    return each(x, y, n, [](f32v a) { return vabs(a); });
  case LENSOR_EXP:
    return each(x, y, n, [](f32v a) { return vexp_wide(a); });
  case LENSOR_LOG:
    return each(x, y, n, [](f32v a) { return vlog(a); });
  case LENSOR_SQRT:
    return each(x, y, n, [](f32v a) { return vsqrt(a); });
  case LENSOR_RSQRT:
    return each(x, y, n, [](f32v a) { return div(set1(1.0f), vsqrt(a)); });
  case LENSOR_SIN:
    for (int64_t i = 0; i < n; i++) y[i] = sinf(x[i]);
    return;
  case LENSOR_COS:
    for (int64_t i = 0; i < n; i++) y[i] = cosf(x[i]);
    return;
  case LENSOR_TANH:
    return each(x, y, n, [](f32v a) { return vtanh(a); });
  case LENSOR_SIGMOID:
    return each(x, y, n, [](f32v a) { return vsigmoid(a); });
  case LENSOR_RELU:
    return each(x, y, n, [](f32v a) { return where_gt(zero(), a, zero(), a); });
  case LENSOR_SILU:
    return each(x, y, n, [](f32v a) { return mul(a, vsigmoid(a)); });
  case LENSOR_GELU:
    return each(x, y, n, [](f32v a) { return vgelu(a); });
  default:
    return each(x, y, n, [](f32v a) { return vgelu_tanh(a); });
  }
}

// neg, abs and relu are all that integers have; U is T without its sign, in which wrapping is defined.
template <class T, class U> void unary_whole(lensor_unary op, const void* from, void* to, int64_t n) {
  const T* x = (const T*)from;
  U* y = (U*)to;
  for (int64_t i = 0; i < n; i++) {
    const U negative = (U)(0 - (U)x[i]);
    y[i] = op == LENSOR_NEG ? negative : x[i] >= 0 ? (U)x[i] : op == LENSOR_ABS ? negative : 0;
  }
}

void unary_block(lensor_unary op, int32_t dtype, const void* x, void* y, int64_t n) {
  switch (dtype) {
  case LENSOR_I8:
    return unary_whole<int8_t, uint8_t>(op, x, y, n);
  case LENSOR_I32:
    return unary_whole<int32_t, uint32_t>(op, x, y, n);
  case LENSOR_I64:
    return unary_whole<int64_t, uint64_t>(op, x, y, n);
  case LENSOR_U8:
  case LENSOR_BOOL:
    return unary_whole<uint8_t, uint8_t>(op, x, y, n);
  default:
    break;
  }
  float wide[kBlock], result[kBlock];
  float* place = dtype == LENSOR_F32 ? (float*)y : result;
  unary_f32(op, as_f32(dtype, x, n, wide), place, n);
  put_f32(dtype, place, n, y);
}

void pow_f32(const float* x, const float* y, float* z, int64_t n, bool same_power) {
  if (same_power && y[0] == 2) return each(x, z, n, [](f32v a) { return mul(a, a); });
  if (same_power && y[0] == -1) return each(x, z, n, [](f32v a) { return div(set1(1.0f), a); });
  for (int64_t i = 0; i < n; i++) z[i] = powf(x[i], y[i]);
}

void binary_f32(lensor_binary op, const float* x, const float* y, float* z, int64_t n, bool same_y) {
  switch (op) {
  case LENSOR_ADD:
    return each(x, y, z, n, [](f32v a, f32v b) { return add(a, b); });
  case LENSOR_SUB:
    return each(x, y, z, n, [](f32v a, f32v b) { return sub(a, b); });
  case LENSOR_MUL:
    return each(x, y, z, n, [](f32v a, f32v b) { return mul(a, b); });
  case LENSOR_DIV:
    return each(x, y, z, n, [](f32v a, f32v b) { return div(a, b); });
  case LENSOR_POW:
    return pow_f32(x, y, z, n, same_y);
  case LENSOR_MAXIMUM:
    return each(x, y, z, n, [](f32v a, f32v b) { return where_nan(a, a, where_gt(a, b, a, b)); });
  default:
    return each(x, y, z, n, [](f32v a, f32v b) { return where_nan(a, a, where_gt(b, a, a, b)); });
  }
}

template <class T> void compare(lensor_binary op, const T* x, const T* y, uint8_t* z, int64_t n) {
  switch (op) {
  case LENSOR_EQ:
    for (int64_t i = 0; i < n; i++) z[i] = x[i] == y[i];
    return;
  case LENSOR_NE:
    for (int64_t i = 0; i < n; i++) z[i] = x[i] != y[i];
    return;
  case LENSOR_LT:
    for (int64_t i = 0; i < n; i++) z[i] = x[i] < y[i];
    return;
  case LENSOR_LE:
    for (int64_t i = 0; i < n; i++) z[i] = x[i] <= y[i];
    return;
  case LENSOR_GT:
    for (int64_t i = 0; i < n; i++) z[i] = x[i] > y[i];
    return;
  default:
    for (int64_t i = 0; i < n; i++) z[i] = x[i] >= y[i];
    return;
  }
}

// base^power, wrapping; a negative power is 0 but for the bases 1 and -1, as in torch.
template <class T> uint64_t whole_power(T base, T power) {
  if (power < 0) return base == 1 ? 1 : base == (T)-1 ? (power % 2 ? (uint64_t)-1 : 1) : 0;
  uint64_t result = 1, square = (uint64_t)base;
  for (uint64_t rest = (uint64_t)power; rest; rest >>= 1, square *= square)
    if (rest & 1) result *= square;
  return result;
}

// In 64 bits and cut: sums, differences and products wrap as they would in T.
template <class T> void binary_whole(lensor_binary op, const T* x, const T* y, void* to, int64_t n) {
  if (op >= LENSOR_EQ) return compare(op, x, y, (uint8_t*)to, n);
  T* z = (T*)to;
  switch (op) {
  case LENSOR_ADD:
    for (int64_t i = 0; i < n; i++) z[i] = (T)((uint64_t)x[i] + (uint64_t)y[i]);
    return;
  case LENSOR_SUB:
    for (int64_t i = 0; i < n; i++) z[i] = (T)((uint64_t)x[i] - (uint64_t)y[i]);
    return;
  case LENSOR_MUL:
    for (int64_t i = 0; i < n; i++) z[i] = (T)((uint64_t)x[i] * (uint64_t)y[i]);
    return;
  case LENSOR_POW:
    for (int64_t i = 0; i < n; i++) z[i] = (T)whole_power(x[i], y[i]);
    return;
  case LENSOR_MAXIMUM:
    for (int64_t i = 0; i < n; i++) z[i] = x[i] > y[i] ? x[i] : y[i];
    return;
  case LENSOR_MINIMUM:
    for (int64_t i = 0; i < n; i++) z[i] = x[i] < y[i] ? x[i] : y[i];
    return;
  default: // division of integers is the core's to refuse: it is made in f32
    return;
  }
}

// bool is the two-element ring of "or" and "and".
void binary_bool(lensor_binary op, const uint8_t* x, const uint8_t* y, uint8_t* z, int64_t n) {
  if (op >= LENSOR_EQ) return compare(op, x, y, z, n);
  const bool either = op == LENSOR_ADD || op == LENSOR_MAXIMUM;
  for (int64_t i = 0; i < n; i++) z[i] = op == LENSOR_SUB ? x[i] ^ y[i] : either ? x[i] | y[i] : x[i] & y[i];
}

void binary_block(lensor_binary op, int32_t dtype, const void* x, const void* y, void* z, int64_t n,
                  bool same_y) {
  switch (dtype) {
  case LENSOR_I8:
    return binary_whole(op, (const int8_t*)x, (const int8_t*)y, z, n);
  case LENSOR_U8:
    return binary_whole(op, (const uint8_t*)x, (const uint8_t*)y, z, n);
  case LENSOR_I32:
    return binary_whole(op, (const int32_t*)x, (const int32_t*)y, z, n);
  case LENSOR_I64:
    return binary_whole(op, (const int64_t*)x, (const int64_t*)y, z, n);
  case LENSOR_BOOL:
    return binary_bool(op, (const uint8_t*)x, (const uint8_t*)y, (uint8_t*)z, n);
  default:
    break;
  }
  float wide_x[kBlock], wide_y[kBlock], result[kBlock];
  const float *a = as_f32(dtype, x, n, wide_x), *b = as_f32(dtype, y, n, wide_y);
  if (op >= LENSOR_EQ) return compare(op, a, b, (uint8_t*)z, n);
  float* place = dtype == LENSOR_F32 ? (float*)z : result;
  binary_f32(op, a, b, place, n, same_y);
  put_f32(dtype, place, n, z);
}

template <class T>
void choose(const uint8_t* condition, const void* yes, const void* no, void* to, int64_t n) {
  for (int64_t i = 0; i < n; i++) ((T*)to)[i] = condition[i] ? ((const T*)yes)[i] : ((const T*)no)[i];
}

} // namespace

lensor_status unary(lensor_context* context, lensor_unary op, const lensor_view* x, const lensor_view* out) {
  const Walk from = walk(x);
  char* to = (char*)out->data;
  return in_chunks(context, elements(out), kGrain, [&](int64_t begin, int64_t end, int) {
    uint64_t staged[kBlock];
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t n = least(kBlock, end - at);
      unary_block(op, x->dtype, read(from, at, n, staged), to + at * from.size, n);
    }
  });
}

lensor_status binary(lensor_context* context, lensor_binary op, const lensor_view* x, const lensor_view* y,
                     const lensor_view* out) {
  const Walk left = walk(x), right = walk(y);
  char* to = (char*)out->data;
  const int64_t size = size_of(out->dtype);
  return in_chunks(context, elements(out), kGrain, [&](int64_t begin, int64_t end, int) {
    uint64_t staged_x[kBlock], staged_y[kBlock];
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t n = least(kBlock, end - at);
      binary_block(op, x->dtype, read(left, at, n, staged_x), read(right, at, n, staged_y), to + at * size, n,
                   right.one_value());
    }
  });
}

lensor_status where(lensor_context* context, const lensor_view* condition, const lensor_view* x,
                    const lensor_view* y, const lensor_view* out) {
  const Walk which = walk(condition), yes = walk(x), no = walk(y);
  char* to = (char*)out->data;
  return in_chunks(context, elements(out), kGrain, [&](int64_t begin, int64_t end, int) {
    uint8_t staged[kBlock];
    uint64_t staged_x[kBlock], staged_y[kBlock];
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t n = least(kBlock, end - at);
      const uint8_t* c = (const uint8_t*)read(which, at, n, staged);
      const void *a = read(yes, at, n, staged_x), *b = read(no, at, n, staged_y);
      char* place = to + at * yes.size;
      switch (yes.size) {
      case 1:
        choose<uint8_t>(c, a, b, place, n);
        break;
      case 2:
        choose<uint16_t>(c, a, b, place, n);
        break;
      case 4:
        choose<uint32_t>(c, a, b, place, n);
        break;
      default:
        choose<uint64_t>(c, a, b, place, n);
      }
    }
  });
}

} // namespace lensor::LENSOR_ISA
