// The adjoint of gather: rows added to the rows that an index names. Each element of the result is added to
// in the order of the index, whatever the threads: where rows are wide each thread takes columns of its own,
// else rows of the result of its own.
#include "kernels.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int64_t kWide = 256;                 // from this width on, threads share out columns
constexpr int64_t kStretch = (int64_t)1 << 20; // elements of x between two looks for an interrupt

template <class T> void add_whole(const void* from, int64_t n, void* to) {
  const T* x = (const T*)from;
  T* out = (T*)to;
  for (int64_t i = 0; i < n; i++) out[i] = (T)(out[i] + x[i]);
}

// 16-bit floats are added in f32 and rounded each time, for the sum lives in them.
void add(int32_t dtype, const void* x, int64_t n, void* out) {
  switch (dtype) {
  case LENSOR_F32:
    return add_whole<float>(x, n, out);
  case LENSOR_I32:
    return add_whole<uint32_t>(x, n, out);
  case LENSOR_I64:
    return add_whole<uint64_t>(x, n, out);
  case LENSOR_F16:
  case LENSOR_BF16: {
    float wide_x[kBlock], wide_out[kBlock], sum[kBlock];
    const float *a = as_f32(dtype, out, n, wide_out), *b = as_f32(dtype, x, n, wide_x);
    for (int64_t i = 0; i < n; i++) sum[i] = a[i] + b[i];
    return put_f32(dtype, sum, n, out);
  }
  default:
    return add_whole<uint8_t>(x, n, out);
  }
}

} // namespace

lensor_status scatter_add(lensor_context* context, const lensor_view* x, const lensor_view* index,
                          const lensor_view* out) {
  const int64_t rows = out->shape[0], count = elements(index);
  const int64_t* which = (const int64_t*)index->data;
  for (int64_t i = 0; i < count; i++)
    if (which[i] < -rows || which[i] >= rows) return LENSOR_BAD_INDEX;
  const int64_t total = elements(x);
  if (total == 0) return LENSOR_OK;
  const Walk from = walk(x);
  const int64_t width = total / count, size = from.size, stretch = most(1, kStretch / width);
  // One piece for each thread, where there is enough for it to do.
  const int64_t share = least(context->threads, least(total, stretch * width) / kGrain + 1);
  const bool columns = width >= kWide;
  const int64_t across = columns ? ((width + share - 1) / share + 15) / 16 * 16 : width;
  const int64_t pieces = columns ? (width + across - 1) / across : least(share, rows);
  for (int64_t first = 0; first < count; first += stretch) {
    const int64_t last = least(count, first + stretch);
    const lensor_status status = in_chunks(context, pieces, 1, [&](int64_t begin, int64_t end, int) {
      uint64_t staged[kBlock];
      for (int64_t piece = begin; piece < end; piece++) {
        const int64_t left = columns ? piece * across : 0, right = least(width, left + across);
        const int64_t top = columns ? 0 : rows * piece / pieces;
        const int64_t bottom = columns ? rows : rows * (piece + 1) / pieces;
        for (int64_t i = first; i < last; i++) {
          const int64_t row = which[i] < 0 ? which[i] + rows : which[i];
          if (row < top || row >= bottom) continue;
          for (int64_t at = left; at < right; at += kBlock) {
            const int64_t n = least(kBlock, right - at);
            add(out->dtype, read(from, i * width + at, n, staged), n,
                (char*)out->data + (row * width + at) * size);
          }
        }
      }
    });
    if (status != LENSOR_OK) return status;
  }
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
