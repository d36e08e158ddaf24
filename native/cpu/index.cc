// Choosing by value or by index: the k largest of each row, and rows taken by number.
#include "kernels.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

// Values as something that compares: floats as f32, the rest as it is.
struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};
template <class T> T comparable(T x) { return x; }
float comparable(Half x) {
  uint16_t lanes[16] = {x.bits};
  float wide[16];
  store(wide, load_f16(lanes));
  return wide[0];
}
float comparable(Brain x) {
  const uint32_t bits = (uint32_t)x.bits << 16;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

// Whether element a of a row is listed before b: larger (NaN above all), or equal and earlier.
template <class T> bool before(const T* x, int64_t a, int64_t b) {
  const auto u = comparable(x[a]), v = comparable(x[b]);
  if (u > v || (u != u && v == v)) return true;
  if (v > u || (v != v && u == u)) return false;
  return a < b;
}

// Restores the heap (the last in order on top) below place i of the first n.
template <class T> void sift(const T* x, int64_t* heap, int64_t i, int64_t n) {
  const int64_t moved = heap[i];
  for (int64_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && before(x, heap[child], heap[child + 1])) child++;
    if (!before(x, moved, heap[child])) break;
    heap[i] = heap[child];
  }
  heap[i] = moved;
}

// The heap lives in the row of indices itself and is then sorted in place.
template <class T> void top_k_row(const T* x, int64_t n, int64_t k, T* values, int64_t* indices) {
  for (int64_t i = 0; i < k; i++) indices[i] = i;
  for (int64_t i = k / 2; i-- > 0;) sift(x, indices, i, k);
  for (int64_t i = k; i < n; i++)
    if (before(x, i, indices[0])) {
      indices[0] = i;
      sift(x, indices, 0, k);
    }
  for (int64_t last = k - 1; last > 0; last--) {
    const int64_t least_one = indices[0];
    indices[0] = indices[last];
    indices[last] = least_one;
    sift(x, indices, 0, last);
  }
  for (int64_t i = 0; i < k; i++) values[i] = x[indices[i]];
}

template <class T> lensor_status top_k_as(lensor_context* context, const lensor_view* x,
                                          const lensor_view* values, const lensor_view* indices) {
  const int64_t n = x->shape[x->rank - 1], k = values->shape[values->rank - 1], count = elements(values);
  if (count == 0) return LENSOR_OK;
  return in_chunks(context, count / k, most(1, kGrain / n), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++)
      top_k_row((const T*)x->data + row * n, n, k, (T*)values->data + row * k,
                (int64_t*)indices->data + row * k);
  });
}

} // namespace

lensor_status top_k(lensor_context* context, const lensor_view* x, const lensor_view* values,
                    const lensor_view* indices) {
  switch (x->dtype) {
  case LENSOR_F32:
    return top_k_as<float>(context, x, values, indices);
  case LENSOR_F16:
    return top_k_as<Half>(context, x, values, indices);
  case LENSOR_BF16:
    return top_k_as<Brain>(context, x, values, indices);
  case LENSOR_I8:
    return top_k_as<int8_t>(context, x, values, indices);
  case LENSOR_I32:
    return top_k_as<int32_t>(context, x, values, indices);
  case LENSOR_I64:
    return top_k_as<int64_t>(context, x, values, indices);
  default:
    return top_k_as<uint8_t>(context, x, values, indices);
  }
}

lensor_status gather(lensor_context* context, const lensor_view* x, const lensor_view* index,
                     const lensor_view* out) {
  const int64_t rows = x->shape[0], count = elements(index), total = elements(out);
  const int64_t* which = (const int64_t*)index->data;
  for (int64_t i = 0; i < count; i++)
    if (which[i] < -rows || which[i] >= rows) return LENSOR_BAD_INDEX;
  if (total == 0) return LENSOR_OK;
  // One row of x: its other axes, from wherever the row starts.
  lensor_view row = *x;
  row.rank = x->rank - 1;
  for (int i = 0; i < row.rank; i++) {
    row.shape[i] = x->shape[i + 1];
    row.stride[i] = x->stride[i + 1];
  }
  const Walk across = walk(&row);
  const int64_t width = total / count, size = across.size;
  return in_chunks(context, count, most(1, kGrain / width), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++) {
      Walk from = across;
      from.data += (which[i] < 0 ? which[i] + rows : which[i]) * x->stride[0] * size;
      char* to = (char*)out->data + i * width * size;
      for (int64_t at = 0; at < width; at += kBlock) {
        const int64_t n = least(kBlock, width - at);
        char* place = to + at * size;
        const void* values = read(from, at, n, place);
        if (values != place) memcpy(place, values, (size_t)(n * size));
      }
    }
  });
}

} // namespace lensor::LENSOR_ISA
