// How much memory this process may ask for: what the machine, or the container it runs in, has to give.
#pragma once
#include <cstddef>
#include <string>

namespace lensor {

// Bytes that could be had now without swapping; 0 where the system does not say.
size_t available_memory();
// LENSOR_MEMORY as people write it: "8GB", "512MB", "1.5e9". Throws std::runtime_error naming the variable.
size_t parse_memory(const std::string& text);

} // namespace lensor
