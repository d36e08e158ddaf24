// The element types: sizes, and blocks of them as f32 or i64 and back. Floats compute in f32, everything else
// in i64 or in its own type. Included by the tensor kernels; see vec.h for what it may include.
#pragma once
#include "../include/lensor_abi.h"
#include "vec.h"

namespace lensor::LENSOR_ISA {

// Elements that a kernel stages at a time: a few such blocks stay in the first-level cache.
constexpr int64_t kBlock = 512;

static inline int64_t size_of(int32_t dtype) {
  switch (dtype) {
  case LENSOR_F32:
  case LENSOR_I32:
    return 4;
  case LENSOR_F16:
  case LENSOR_BF16:
    return 2;
  case LENSOR_I64:
    return 8;
  default:
    return 1;
  }
}

static inline bool is_float(int32_t dtype) {
  return dtype == LENSOR_F32 || dtype == LENSOR_F16 || dtype == LENSOR_BF16;
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int64_t elements(const lensor_view* v) {
  int64_t count = 1;
  for (int i = 0; i < v->rank; i++) count *= v->shape[i];
  return count;
}

// n values of a float dtype as f32: the values themselves where they are f32, else written to `wide`.
static inline const float* as_f32(int32_t dtype, const void* from, int64_t n, float* wide) {
  if (dtype == LENSOR_F32) return (const float*)from;
  const uint16_t* p = (const uint16_t*)from;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(wide + i, dtype == LENSOR_F16 ? load_f16(p + i) : load_bf16(p + i));
  if (i < n) {
    uint16_t rest[16] = {};
    memcpy(rest, p + i, (size_t)(n - i) * 2);
    store_part(wide + i, dtype == LENSOR_F16 ? load_f16(rest) : load_bf16(rest), (int)(n - i));
  }
  return wide;
}

// n f32 values rounded to a float dtype.
static inline void put_f32(int32_t dtype, const float* from, int64_t n, void* to) {
  if (dtype == LENSOR_F32) {
    if (from != to) memcpy(to, from, (size_t)n * 4);
    return;
  }
  uint16_t* p = (uint16_t*)to;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    if (dtype == LENSOR_F16)
      store_f16(p + i, load(from + i));
    else
      store_bf16(p + i, load(from + i));
  if (i < n) {
    uint16_t rest[16];
    f32v part = load_part(from + i, (int)(n - i), 0);
    if (dtype == LENSOR_F16)
      store_f16(rest, part);
    else
      store_bf16(rest, part);
    memcpy(p + i, rest, (size_t)(n - i) * 2);
  }
}

template <class T> static inline void widen(const void* from, int64_t n, int64_t* to) {
  for (int64_t i = 0; i < n; i++) to[i] = (int64_t)((const T*)from)[i];
}

// n integers or booleans as i64.
static inline void get_i64(int32_t dtype, const void* from, int64_t n, int64_t* to) {
  switch (dtype) {
  case LENSOR_I8:
    return widen<int8_t>(from, n, to);
  case LENSOR_I32:
    return widen<int32_t>(from, n, to);
  case LENSOR_I64:
    return widen<int64_t>(from, n, to);
  default:
    return widen<uint8_t>(from, n, to);
  }
}

template <class T> static inline void narrow(const int64_t* from, int64_t n, void* to) {
  for (int64_t i = 0; i < n; i++) ((T*)to)[i] = (T)(uint64_t)from[i];
}

// n i64 wrapped to an integer dtype; for bool, whether they differ from 0.
static inline void put_i64(int32_t dtype, const int64_t* from, int64_t n, void* to) {
  switch (dtype) {
  case LENSOR_I8:
  case LENSOR_U8:
    return narrow<uint8_t>(from, n, to);
  case LENSOR_I32:
    return narrow<uint32_t>(from, n, to);
  case LENSOR_I64:
    return narrow<uint64_t>(from, n, to);
  default:
    for (int64_t i = 0; i < n; i++) ((uint8_t*)to)[i] = from[i] != 0;
  }
}

} // namespace lensor::LENSOR_ISA
