// A result that may still be in the queue: memory that is taken when its operation runs, or the reason why it
// failed. Written by the executor's thread alone; other threads read it only after the executor has told them
// to.
#pragma once
#include "memory.h"
#include <atomic>
#include <memory>
#include <string>

namespace lensor {

struct Failure {
  std::string message;
  bool interrupted = false;          // the person's own wish: nothing to report
  std::atomic<bool> reported{false}; // a read has told of it
};

struct Buffer {
  explicit Buffer(size_t bytes) : bytes(bytes) { label.number = ++count; }
  const size_t bytes;
  Label label;                        // what it is, for errors; its maker is known by who runs it
  const Owner owner = memory_owner(); // who asked for it
  Block memory;                       // empty until made
  uint32_t version = 0;               // how often it was changed in place; JavaScript's thread alone
  std::shared_ptr<Failure> failure;

  static inline std::atomic<uint64_t> count{0};
};

using BufferRef = std::shared_ptr<Buffer>;

} // namespace lensor
