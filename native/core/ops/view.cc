// Views: another window on the same memory. TypeScript works them out; here is only how a gradient goes back
// through one. Parameters: lib/tensor/queue.ts.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"

namespace lensor::ops {

namespace {

void check_view(const Call& call) { need(call.in.size() == 1 && call.out.size() == 1); }

Shape in_shape(const Backward& b) {
  const lensor_view& view = b.in_view(0);
  return {view.shape, view.shape + view.rank};
}

// params: the axis of the input that became each axis.
void permute_gradient(Backward& b) {
  const Tensor g = b.grad();
  std::vector<int32_t> back(g.view.rank);
  for (int32_t i = 0; i < g.view.rank; i++) back[static_cast<size_t>(b.param(i))] = i;
  b.give(0, permuted(g, back));
}

void check_permute(const Call& call) {
  check_view(call);
  const int32_t rank = call.in[0].view.rank;
  need(call.out[0].view.rank == rank && call.params.size() == static_cast<size_t>(rank));
  uint32_t seen = 0;
  for (int32_t i = 0; i < rank; i++) {
    const double axis = call.params[i];
    need(axis >= 0 && axis < rank && axis == static_cast<int32_t>(axis));
    seen |= 1u << static_cast<int32_t>(axis);
    need(call.out[0].view.shape[i] == call.in[0].view.shape[static_cast<int32_t>(axis)]);
  }
  need(seen == (1u << rank) - 1);
}

void check_reshape(const Call& call) {
  check_view(call);
  need(count_of(call.in[0].view) == count_of(call.out[0].view));
}

void check_expand(const Call& call) {
  check_view(call);
  const lensor_view &in = call.in[0].view, &out = call.out[0].view;
  need(out.rank >= in.rank);
  for (int32_t d = 0; d < in.rank; d++) {
    const int64_t size = out.shape[out.rank - in.rank + d];
    need(in.shape[d] == size || in.shape[d] == 1);
  }
}

// params: for each axis of the input start, step and whether the axis is kept.
void check_slice(const Call& call) {
  check_view(call);
  const lensor_view &in = call.in[0].view, &out = call.out[0].view;
  need(call.params.size() == static_cast<size_t>(in.rank) * 3);
  int32_t at = 0;
  for (int32_t d = 0; d < in.rank; d++) {
    const double start = call.params[3 * d], step = call.params[3 * d + 1];
    const bool kept = call.params[3 * d + 2] != 0;
    need(!kept || at < out.rank);
    const int64_t count = kept ? out.shape[at++] : 1;
    need(start >= 0 && step >= 1 && start == static_cast<double>(static_cast<int64_t>(start)) &&
         step == static_cast<double>(static_cast<int64_t>(step)));
    need(count == 0 || start + (static_cast<double>(count) - 1) * step < static_cast<double>(in.shape[d]));
  }
  need(at == out.rank);
}

void slice_gradient(Backward& b) {
  const Tensor g = b.grad(), all = zeros(g.dtype(), in_shape(b));
  lensor_view window = g.view;
  int64_t offset = 0;
  int32_t at = 0;
  for (int32_t d = 0; d < all.view.rank; d++) {
    offset += static_cast<int64_t>(b.param(3 * d)) * all.view.stride[d];
    if (b.param(3 * d + 2) != 0)
      window.stride[at++] = static_cast<int64_t>(b.param(3 * d + 1)) * all.view.stride[d];
  }
  window.data = reinterpret_cast<void*>(static_cast<uintptr_t>(offset) * dtype_bytes(g.dtype()));
  if (count_of(g.view)) copy_into(all, window, g);
  b.give(0, all);
}

} // namespace

const Op kPermute{.name = "permute", .check = check_permute, .run = nullptr, .gradient = permute_gradient};
const Op kReshape{.name = "reshape", .check = check_reshape, .run = nullptr, .gradient = [](Backward& b) {
                    b.give(0, viewed(b.grad(), in_shape(b)));
                  }};
const Op kExpand{.name = "expand", .check = check_expand, .run = nullptr, .gradient = [](Backward& b) {
                   b.give(0, sum_to(b.grad(), in_shape(b)));
                 }};
const Op kSlice{.name = "slice", .check = check_slice, .run = nullptr, .gradient = slice_gradient};

} // namespace lensor::ops
