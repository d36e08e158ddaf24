// xxHash64 of bytes (Yann Collet's public specification), as every implementation of it gives.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lensor {

uint64_t xxhash64(const void* data, size_t bytes, uint64_t seed = 0);

} // namespace lensor
