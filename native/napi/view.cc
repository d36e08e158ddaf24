#include "view.h"
#include <cmath>

namespace lensor {

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

void point_at(lensor_view& view, const Buffer& buffer) { view = pointed(view, buffer); }

std::vector<Tensor> read_tensors(const std::vector<double>& packed, const std::vector<BufferRef>& buffers) {
  const std::vector<lensor_view> views = read_views(packed, buffers);
  std::vector<Tensor> tensors(views.size());
  for (size_t i = 0; i < views.size(); i++) tensors[i].buffer = buffers[i], tensors[i].view = views[i];
  return tensors;
}

std::vector<Tensor> read_results(const std::vector<double>& packed) {
  std::vector<Tensor> results;
  for (size_t at = 0; at < packed.size();) {
    const auto next = [&](double most) {
      const double value = at < packed.size() ? packed[at++] : -1;
      if (!(value >= 0 && value <= most) || value != std::floor(value))
        throw Invalid("a result has an impossible shape");
      return static_cast<int64_t>(value);
    };
    const auto dtype = static_cast<int32_t>(next(LENSOR_BOOL));
    Shape shape(static_cast<size_t>(next(LENSOR_MAX_RANK)));
    for (int64_t& size : shape) size = next(0x1p48);
    results.push_back(make_tensor(dtype, shape));
  }
  return results;
}

BufferRef floats(int64_t count) { return make_tensor(LENSOR_F32, {count}).buffer; }
napi_value handle(napi_env env, const BufferRef& buffer) {
  return wrap<Buffer>(env, buffer, static_cast<int64_t>(buffer->bytes));
}

} // namespace lensor
