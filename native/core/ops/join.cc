// Tensors one after the other along an axis.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"

namespace lensor::ops {

namespace {

// params: the axis.
void check_cat(const Call& call) {
  need(call.out.size() == 1 && !call.params.empty());
  const lensor_view& out = call.out[0].view;
  const double axis = call.params[0];
  need(axis >= 0 && axis < out.rank && axis == static_cast<int32_t>(axis));
  int64_t sum = 0;
  for (const Tensor& x : call.in) {
    need(x.view.rank == out.rank && x.dtype() == out.dtype);
    for (int32_t d = 0; d < out.rank; d++) need(d == axis || x.view.shape[d] == out.shape[d]);
    sum += x.view.shape[static_cast<int32_t>(axis)];
  }
  need(sum == out.shape[static_cast<int32_t>(axis)]);
}

lensor_status run_cat(const Running& r) {
  const auto axis = static_cast<int32_t>(r.param(0));
  lensor_view part = r.out[0];
  char* at = static_cast<char*>(part.data);
  for (const lensor_view& x : r.in) {
    part.shape[axis] = x.shape[axis];
    part.data = at;
    if (count_of(x))
      if (const auto status = r.ops->copy(r.context, &x, &part)) return status;
    at += x.shape[axis] * part.stride[axis] * static_cast<int64_t>(dtype_bytes(part.dtype));
  }
  return LENSOR_OK;
}

void cat_gradient(Backward& b) {
  const auto axis = static_cast<int32_t>(b.param(0));
  const Tensor g = b.grad();
  Tensor part = g;
  for (size_t i = 0; i < b.inputs(); i++) {
    part.view.shape[axis] = b.in_view(i).shape[axis];
    b.give(i, part);
    part.view.data = static_cast<char*>(part.view.data) + part.view.shape[axis] * g.view.stride[axis] *
                                                              static_cast<int64_t>(dtype_bytes(g.dtype()));
  }
}

} // namespace

const Op kCat{.name = "cat", .check = check_cat, .run = run_cat, .gradient = cat_gradient};

} // namespace lensor::ops
