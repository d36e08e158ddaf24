// The sizes that blocks of memory have, and where they come from. Counts nothing and keeps nothing.
#pragma once
#include <cstddef>

namespace lensor {

// What a request counts as.
size_t rounded(size_t bytes);

// Sizes that blocks have: every 64 bytes up to a page, then eight for each power of two, so that a block kept
// of one request fits the next of nearly its size and wastes at most an eighth.
struct Class {
  size_t number, bytes;
};
Class class_of(size_t size);
constexpr size_t kClasses = 64 + 8 * 66;

// From the system, 64-byte aligned and of a class's size; null where there is none.
void* system_take(size_t bytes);
void system_give(void* data, size_t bytes);
// What was given back and has stayed with the process all the same.
void system_return();

} // namespace lensor
