#include "pages.h"
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace lensor {

namespace {

// From here on a block is pages of its own, huge ones where the system has them, and goes back as such.
constexpr size_t kLarge = 2u << 20;
constexpr size_t kPage = 4096;

} // namespace

size_t rounded(size_t bytes) {
  const size_t step = bytes < kPage ? 64 : kPage;
  bytes = std::min(bytes, SIZE_MAX / 4); // which no budget allows
  return bytes == 0 ? 64 : (bytes + step - 1) / step * step;
}

Class class_of(size_t size) {
  if (size <= kPage) return {size / 64, size};
  const int power = std::bit_width(size - 1) - 1; // 2^power < size <= 2^(power + 1)
  const size_t step = std::max((size_t{1} << power) / 8, kPage);
  const size_t bytes = (size + step - 1) / step * step;
  return {64 + 8 * static_cast<size_t>(power) + (bytes - (size_t{1} << power)) * 8 / (size_t{1} << power),
          bytes};
}

void* system_take(size_t bytes) {
  if (bytes < kLarge) return std::aligned_alloc(64, bytes);
  // Mapped with room to cut, so that it begins where a huge page does.
  char* data = static_cast<char*>(
      mmap(nullptr, bytes + kLarge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (data == MAP_FAILED) return nullptr;
  const size_t head = (kLarge - reinterpret_cast<uintptr_t>(data) % kLarge) % kLarge;
  if (head) munmap(data, head);
  if (kLarge - head) munmap(data + head + bytes, kLarge - head);
#if defined(MADV_HUGEPAGE)
  madvise(data + head, bytes, MADV_HUGEPAGE);
#endif
  return data + head;
}

void system_give(void* data, size_t bytes) {
  if (bytes < kLarge)
    std::free(data);
  else
    munmap(data, bytes);
}

void system_return() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

} // namespace lensor
