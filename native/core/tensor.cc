#include "tensor.h"
#include <algorithm>

namespace lensor {

bool is_floating(int32_t dtype) { return dtype == LENSOR_F32 || dtype == LENSOR_F16 || dtype == LENSOR_BF16; }

size_t dtype_bytes(int32_t dtype) {
  switch (dtype) {
  case LENSOR_I8:
  case LENSOR_U8:
  case LENSOR_BOOL:
    return 1;
  case LENSOR_F16:
  case LENSOR_BF16:
    return 2;
  case LENSOR_I64:
    return 8;
  default:
    return 4;
  }
}

int64_t count_of(const lensor_view& view) {
  int64_t count = 1;
  for (int32_t d = 0; d < view.rank; d++) count *= view.shape[d];
  return count;
}

int64_t count_of(const Shape& shape) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

bool same_shape(const lensor_view& a, const lensor_view& b) {
  if (a.rank != b.rank) return false;
  for (int32_t d = 0; d < a.rank; d++)
    if (a.shape[d] != b.shape[d]) return false;
  return true;
}

bool is_contiguous(const lensor_view& view) {
  int64_t stride = 1;
  for (int32_t d = view.rank - 1; d >= 0; d--) {
    if (view.shape[d] != 1 && view.stride[d] != stride) return count_of(view) == 0;
    stride *= view.shape[d];
  }
  return true;
}

lensor_view contiguous_view(int32_t dtype, const Shape& shape) {
  if (shape.size() > LENSOR_MAX_RANK) throw Invalid("a tensor has at most 8 axes");
  lensor_view view{};
  view.dtype = dtype;
  view.rank = static_cast<int32_t>(shape.size());
  int64_t stride = static_cast<int64_t>(dtype_bytes(dtype));
  for (int64_t size : shape)
    if (__builtin_mul_overflow(stride, size ? size : 1, &stride) || stride > int64_t{1} << 48)
      throw Invalid("a tensor of this shape is larger than any memory");
  stride = 1;
  for (int32_t d = view.rank - 1; d >= 0; d--) {
    view.shape[d] = shape[d];
    view.stride[d] = stride;
    stride *= shape[d];
  }
  return view;
}

lensor_view pointed(lensor_view view, const Buffer& buffer) {
  view.data = buffer.memory.as<char>() + reinterpret_cast<uintptr_t>(view.data);
  return view;
}

Tensor make_tensor(int32_t dtype, const Shape& shape) {
  Tensor tensor;
  tensor.view = contiguous_view(dtype, shape);
  tensor.buffer = std::make_shared<Buffer>(static_cast<size_t>(count_of(tensor.view)) * dtype_bytes(dtype));
  Label& label = tensor.buffer->label;
  label.dtype = dtype, label.rank = tensor.view.rank;
  std::copy(shape.begin(), shape.end(), label.shape.begin());
  return tensor;
}

} // namespace lensor
