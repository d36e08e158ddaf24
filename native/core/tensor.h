// A tensor as native code holds it: a window on a buffer, and where it stands on the tape. Plain values,
// copied freely; what they look at is shared. Shapes have been checked by whoever makes one.
#pragma once
#include "../include/lensor_abi.h"
#include "buffer.h"
#include <stdexcept>
#include <vector>

namespace lensor {

// An argument that cannot be true; it becomes a TypeError.
struct Invalid : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Shape = std::vector<int64_t>;
struct Node;

struct Tensor {
  BufferRef buffer;
  lensor_view view{};         // `data` counts bytes from the buffer's start
  std::shared_ptr<Node> node; // what made it, where a gradient may be asked for
  int32_t slot = 0;           // which of the node's results it is

  int32_t dtype() const { return view.dtype; }
  Shape shape() const { return {view.shape, view.shape + view.rank}; }
};

bool is_floating(int32_t dtype);
size_t dtype_bytes(int32_t dtype);
int64_t count_of(const lensor_view& view);
int64_t count_of(const Shape& shape);
bool same_shape(const lensor_view& a, const lensor_view& b);
bool is_contiguous(const lensor_view& view);
// Row-major. Throws Invalid where the size overflows.
lensor_view contiguous_view(int32_t dtype, const Shape& shape);
// From an offset in the buffer to memory, once the buffer holds some.
lensor_view pointed(lensor_view view, const Buffer& buffer);

// Row-major, not yet computed: the result of an operation to be.
Tensor make_tensor(int32_t dtype, const Shape& shape);

} // namespace lensor
