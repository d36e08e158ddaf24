// out = x in out's dtype, both with any strides: contiguous, cast, transposed, repeated, and concatenated
// (out strided).
#include "kernels.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

// Towards zero; what i64 cannot hold (NaN too) becomes its lowest value, as the processor's own conversion
// gives.
int64_t truncate(float f) { return f > -9.2e18f && f < 9.2e18f ? (int64_t)f : INT64_MIN; }

// The C library's memcpy may turn to a string instruction that some processors run at half speed.
void copy_bytes(const char* from, char* to, int64_t bytes) {
  int64_t i = 0;
  for (; i + 64 <= bytes; i += 64) storei(to + i, loadi(from + i));
  memcpy(to + i, from + i, (size_t)(bytes - i));
}

void cast(int32_t from_dtype, const void* from, int32_t to_dtype, void* to, int64_t n) {
  float wide[kBlock];
  int64_t whole[kBlock];
  if (is_float(from_dtype)) {
    const float* f = as_f32(from_dtype, from, n, wide);
    if (is_float(to_dtype)) return put_f32(to_dtype, f, n, to);
    if (to_dtype == LENSOR_BOOL) {
      for (int64_t i = 0; i < n; i++) ((uint8_t*)to)[i] = f[i] != 0;
      return;
    }
    for (int64_t i = 0; i < n; i++) whole[i] = truncate(f[i]);
    return put_i64(to_dtype, whole, n, to);
  }
  get_i64(from_dtype, from, n, whole);
  if (!is_float(to_dtype)) return put_i64(to_dtype, whole, n, to);
  for (int64_t i = 0; i < n; i++) wide[i] = (float)whole[i];
  put_f32(to_dtype, wide, n, to);
}

// The axis along which x is contiguous when it is not the last one: copying by rows would touch a cache line
// a value.
int contiguous_axis(const Walk& x) {
  const int last = x.rank - 1;
  if (x.stride[last] == 0 || x.stride[last] == 1 || x.shape[last] < 4) return -1;
  for (int i = 0; i < last; i++)
    if (x.stride[i] == 1 && x.shape[i] >= 4) return i;
  return -1;
}

// Square tiles through a buffer: each line of x and of out is touched once, also where their strides are
// powers of two and would fight for the same place in the cache.
template <class T> lensor_status transpose(lensor_context* context, const Walk& x, int axis, T* out) {
  constexpr int64_t kTile = 32;
  const int last = x.rank - 1;
  const int64_t rows = x.shape[axis], columns = x.shape[last], step = x.stride[last];
  int64_t row_step = 1, outer = 1;
  for (int i = axis + 1; i <= last; i++) row_step *= x.shape[i];
  for (int i = 0; i < last; i++) outer *= i == axis ? 1 : x.shape[i];
  const int64_t bands = (rows + kTile - 1) / kTile;
  return in_chunks(
      context, outer * bands, most(1, kGrain / (kTile * columns)), [&](int64_t begin, int64_t end, int) {
        for (int64_t item = begin; item < end; item++) {
          int64_t rest = item / bands, from_at = 0, to_at = 0, size = columns;
          for (int i = last - 1; i >= 0; size *= x.shape[i], i--) {
            if (i == axis) continue;
            from_at += rest % x.shape[i] * x.stride[i];
            to_at += rest % x.shape[i] * size;
            rest /= x.shape[i];
          }
          const int64_t top = item % bands * kTile, bottom = least(rows, top + kTile);
          const T* from = (const T*)x.data + from_at;
          for (int64_t left = 0; left < columns; left += kTile) {
            const int64_t right = least(columns, left + kTile);
            T tile[kTile][kTile];
            for (int64_t c = left; c < right; c++)
              for (int64_t r = top; r < bottom; r++) tile[r - top][c - left] = from[r + c * step];
            for (int64_t r = top; r < bottom; r++)
              memcpy(out + to_at + r * row_step + left, tile[r - top], (size_t)(right - left) * sizeof(T));
          }
        }
      });
}

} // namespace

lensor_status copy(lensor_context* context, const lensor_view* x, const lensor_view* out) {
  const int64_t count = elements(out);
  if (count == 0) return LENSOR_OK;
  const Walk from = walk(x), to = walk(out);
  const bool same = x->dtype == out->dtype;
  const int axis = same && to.contiguous() ? contiguous_axis(from) : -1;
  if (axis >= 0) switch (from.size) {
    case 1:
      return transpose(context, from, axis, (uint8_t*)to.data);
    case 2:
      return transpose(context, from, axis, (uint16_t*)to.data);
    case 4:
      return transpose(context, from, axis, (uint32_t*)to.data);
    default:
      return transpose(context, from, axis, (uint64_t*)to.data);
    }
  return in_chunks(context, count, kGrain, [&](int64_t begin, int64_t end, int) {
    if (same && from.contiguous() && to.contiguous()) {
      return copy_bytes(from.data + begin * to.size, to.data + begin * to.size, (end - begin) * to.size);
    }
    uint64_t staged[kBlock], converted[kBlock];
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t n = least(kBlock, end - at);
      char* place = to.contiguous() ? to.data + at * to.size : (char*)converted;
      const void* values = read(from, at, n, same && to.contiguous() ? (void*)place : staged);
      if (!same) cast(x->dtype, values, out->dtype, place, n);
      if (!to.contiguous())
        write(to, at, n, same ? values : converted);
      else if (same && values != place)
        memcpy(place, values, (size_t)(n * to.size));
    }
  });
}

} // namespace lensor::LENSOR_ISA
