#include "algebra.h"
#include "engine.h"
#include "ops/all.h"
#include <algorithm>

namespace lensor {

Tensor unary(lensor_unary op, const Tensor& x) {
  return invoke(ops::kUnary, {x}, {double(op)}, x.dtype(), x.shape());
}

Tensor binary(lensor_binary op, const Tensor& x, const Tensor& y) {
  const size_t rank = std::max(x.view.rank, y.view.rank);
  Shape shape(rank, 1);
  for (const Tensor* t : {&x, &y})
    for (int32_t d = 0; d < t->view.rank; d++) {
      int64_t& size = shape[rank - t->view.rank + d];
      if (size == 1) size = t->view.shape[d];
    }
  return invoke(ops::kBinary, {expanded(x, shape), expanded(y, shape)}, {double(op)},
                op >= LENSOR_EQ ? int32_t(LENSOR_BOOL) : x.dtype(), shape);
}

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) {
  const Shape shape = condition.shape();
  return invoke(ops::kWhere, {condition, expanded(x, shape), expanded(y, shape)}, {}, x.dtype(), shape);
}

Tensor cast(const Tensor& x, int32_t dtype) {
  return x.dtype() == dtype ? x : invoke(ops::kCopy, {x}, {}, dtype, x.shape());
}

namespace {

// What is known already needs no queue.
template <typename T> Tensor made(int32_t dtype, const std::vector<T>& values) {
  Tensor x = make_tensor(dtype, {static_cast<int64_t>(values.size())});
  x.buffer->memory = Block(std::max<size_t>(x.buffer->bytes, 1));
  std::copy(values.begin(), values.end(), x.buffer->memory.as<T>());
  return x;
}

} // namespace

Tensor full(int32_t dtype, const Shape& shape, double value) {
  Tensor one = is_floating(dtype) ? cast(made<float>(LENSOR_F32, {static_cast<float>(value)}), dtype)
                                  : cast(made<int64_t>(LENSOR_I64, {static_cast<int64_t>(value)}), dtype);
  one.view.rank = 0;
  return expanded(one, shape);
}

Tensor zeros(int32_t dtype, const Shape& shape) { return copied(full(dtype, shape, 0)); }

Tensor scale(const Tensor& x, double factor) {
  return factor == 1 ? x : mul(x, full(x.dtype(), x.shape(), factor));
}

Tensor steps(int64_t count, int64_t step) {
  std::vector<int64_t> values(count);
  for (int64_t i = 0; i < count; i++) values[i] = i * step;
  return made<int64_t>(LENSOR_I64, values);
}

Tensor copied(const Tensor& x) { return invoke(ops::kCopy, {x}, {}, x.dtype(), x.shape()); }

Tensor contiguous(const Tensor& x) { return is_contiguous(x.view) ? x : copied(x); }

Tensor reshaped(const Tensor& x, const Shape& shape) {
  Tensor row = contiguous(x);
  void* data = row.view.data;
  row.view = contiguous_view(x.dtype(), shape);
  row.view.data = data;
  return row;
}

Tensor viewed(const Tensor& x, const Shape& shape) {
  struct Run {
    int64_t count, stride;
  };
  std::vector<Run> runs; // neighbouring axes that one stride spans, the last ones last
  for (int32_t i = 0; i < x.view.rank; i++) {
    const int64_t count = x.view.shape[i], stride = x.view.stride[i];
    if (count == 0) return reshaped(x, shape);
    if (count == 1) continue;
    if (!runs.empty() && runs.back().stride == stride * count)
      runs.back() = {runs.back().count * count, stride};
    else
      runs.push_back({count, stride});
  }
  Tensor other = x;
  other.view = contiguous_view(x.dtype(), shape);
  other.view.data = x.view.data;
  for (int32_t i = other.view.rank - 1; i >= 0; i--) {
    const int64_t count = other.view.shape[i];
    if (count == 1) continue;
    if (runs.back().count % count != 0) return reshaped(x, shape);
    other.view.stride[i] = runs.back().stride;
    runs.back() = {runs.back().count / count, runs.back().stride * count};
    if (runs.back().count == 1) runs.pop_back();
  }
  return other;
}

Tensor permuted(const Tensor& x, const std::vector<int32_t>& axes) {
  Tensor moved = x;
  for (size_t i = 0; i < axes.size(); i++) {
    moved.view.shape[i] = x.view.shape[axes[i]];
    moved.view.stride[i] = x.view.stride[axes[i]];
  }
  return moved;
}

Tensor expanded(const Tensor& x, const Shape& shape) {
  Tensor repeated = x;
  const int32_t added = static_cast<int32_t>(shape.size()) - x.view.rank;
  repeated.view.rank = static_cast<int32_t>(shape.size());
  for (int32_t d = 0; d < repeated.view.rank; d++) {
    repeated.view.shape[d] = shape[d];
    repeated.view.stride[d] =
        d < added || (x.view.shape[d - added] == 1 && shape[d] != 1) ? 0 : x.view.stride[d - added];
  }
  return repeated;
}

Tensor transposed(const Tensor& x) {
  std::vector<int32_t> axes(x.view.rank);
  for (int32_t i = 0; i < x.view.rank; i++) axes[i] = i;
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return permuted(x, axes);
}

Tensor sum_rows(const Tensor& x) {
  return invoke(ops::kReduce, {contiguous(x)}, {LENSOR_SUM}, x.dtype(), {x.view.shape[0]});
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  const int32_t added = x.view.rank - static_cast<int32_t>(shape.size());
  std::vector<int32_t> kept, summed;
  int64_t rows = 1, n = 1;
  for (int32_t d = 0; d < x.view.rank; d++) {
    const int64_t size = x.view.shape[d];
    if (d < added || (shape[d - added] == 1 && size != 1))
      summed.push_back(d), n *= size;
    else
      kept.push_back(d), rows *= size;
  }
  if (summed.empty()) return x;
  std::vector<int32_t> axes = kept;
  axes.insert(axes.end(), summed.begin(), summed.end());
  return reshaped(sum_rows(reshaped(permuted(x, axes), {rows, n})), shape);
}

Tensor matmul(const Tensor& x, const Tensor& y) {
  return invoke(ops::kMatmul, {x, y}, {}, x.dtype(), {x.view.shape[0], x.view.shape[1], y.view.shape[2]});
}

void add_into(const Tensor& x, const Tensor& y) { invoke(ops::kBinary, {x, y}, {LENSOR_ADD}, {x}); }

void copy_into(const Tensor& x, const lensor_view& view, const Tensor& y) {
  Tensor window = x;
  window.view = view;
  invoke(ops::kCopy, {y}, {}, {window});
}

} // namespace lensor
