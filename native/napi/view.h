// Views as JavaScript describes them, checked against the buffers they look into.
#pragma once
#include "env.h"
#include <cstdint>

namespace lensor {

size_t dtype_bytes(int32_t dtype);
int64_t count_of(const lensor_view& view);
bool same_shape(const lensor_view& a, const lensor_view& b);
bool is_contiguous(const lensor_view& view);
// Throws Invalid where the size overflows.
lensor_view contiguous_view(int32_t dtype, const std::vector<int64_t>& shape);
// One view a buffer, as lib/native.ts packs them; until `point_at`, `data` holds the offset in bytes.
std::vector<lensor_view> read_views(const std::vector<double>& packed, const std::vector<BufferRef>& buffers);
void point_at(lensor_view& view, const Buffer& buffer);

// A result to be: that many f32, and what JavaScript holds of it.
BufferRef floats(int64_t count);
napi_value handle(napi_env env, const BufferRef& buffer);

} // namespace lensor
