#include "view.h"
#include <cmath>

namespace lensor {

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

lensor_view contiguous_view(int32_t dtype, const std::vector<int64_t>& shape) {
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

std::vector<lensor_view> read_views(const std::vector<double>& packed,
                                    const std::vector<BufferRef>& buffers) {
  std::vector<lensor_view> views;
  size_t at = 0;
  const auto next = [&](double least, double most) {
    if (at >= packed.size()) throw Invalid("a view ends too early");
    const double value = packed[at++];
    if (!(value >= least && value <= most) || value != std::floor(value))
      throw Invalid("a view holds an impossible number");
    return static_cast<int64_t>(value);
  };
  constexpr double kMost = 0x1p48;
  for (const auto& buffer : buffers) {
    lensor_view view{};
    view.dtype = static_cast<int32_t>(next(0, LENSOR_BOOL));
    const int64_t offset = next(0, kMost);
    view.rank = static_cast<int32_t>(next(0, LENSOR_MAX_RANK));
    double elements = 1;
    for (int32_t d = 0; d < view.rank; d++) elements *= static_cast<double>(view.shape[d] = next(0, kMost));
    if (elements > kMost) throw Invalid("a view holds an impossible number");
    // The first and the last element that the view can reach.
    double low = static_cast<double>(offset), high = low;
    for (int32_t d = 0; d < view.rank; d++) {
      view.stride[d] = next(-kMost, kMost);
      const double reach = static_cast<double>(view.stride[d]) * static_cast<double>(view.shape[d] - 1);
      (reach < 0 ? low : high) += reach;
    }
    const size_t size = dtype_bytes(view.dtype);
    if (elements > 0 &&
        (low < 0 || (high + 1) * static_cast<double>(size) > static_cast<double>(buffer->bytes)))
      throw Invalid("a view reaches outside its buffer");
    view.data = reinterpret_cast<void*>(static_cast<uintptr_t>(offset) * size);
    views.push_back(view);
  }
  if (at != packed.size()) throw Invalid("there are more views than buffers");
  return views;
}

void point_at(lensor_view& view, const Buffer& buffer) {
  view.data = buffer.memory.as<char>() + reinterpret_cast<uintptr_t>(view.data);
}

BufferRef floats(int64_t count) {
  return std::make_shared<Buffer>(static_cast<size_t>(count) * sizeof(float));
}
napi_value handle(napi_env env, const BufferRef& buffer) {
  return wrap<Buffer>(env, buffer, static_cast<int64_t>(buffer->bytes));
}

} // namespace lensor
