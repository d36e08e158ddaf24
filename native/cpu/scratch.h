// Memory that a kernel works in until it returns, lent by the context and so counted with all other memory.
// See vec.h for what this file may include.
#pragma once
#include "../include/lensor_abi.h"
#include "vec.h"

namespace lensor::LENSOR_ISA {

class Scratch {
public:
  explicit Scratch(lensor_context* context) : context_(context) {}
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    for (int i = 0; i < count_; i++) context_->give(context_, blocks_[i].data, blocks_[i].bytes);
  }
  // Room for n values, on the border of a cache line, which a vector of 16 lanes must not cross.
  template <class T> T* take(int64_t n) {
    const size_t bytes = (size_t)(n < 1 ? 1 : n) * sizeof(T);
    void* data = failed_ ? nullptr : context_->take(context_, bytes);
    failed_ |= !data;
    if (data) blocks_[count_++] = {data, bytes};
    return (T*)data;
  }
  // Whether any of it was refused.
  bool failed() const { return failed_; }

private:
  struct {
    void* data;
    size_t bytes;
  } blocks_[8];
  lensor_context* context_;
  int count_ = 0;
  bool failed_ = false;
};

} // namespace lensor::LENSOR_ISA
