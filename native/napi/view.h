// Views as JavaScript describes them, checked against the buffers they look into.
#pragma once
#include "env.h"
#include <cstdint>

namespace lensor {

// One view a buffer, as lib/native.ts packs them; until `point_at`, `data` holds the offset in bytes.
std::vector<lensor_view> read_views(const std::vector<double>& packed, const std::vector<BufferRef>& buffers);
void point_at(lensor_view& view, const Buffer& buffer);
// Each with its buffer.
std::vector<Tensor> read_tensors(const std::vector<double>& packed, const std::vector<BufferRef>& buffers);
// Results to be: for each, dtype, rank, shape...
std::vector<Tensor> read_results(const std::vector<double>& packed);

// A result to be: that many f32, and what JavaScript holds of it.
BufferRef floats(int64_t count);
napi_value handle(napi_env env, const BufferRef& buffer);

} // namespace lensor
