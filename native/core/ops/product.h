// What the operations made of matrix products share: matrices as the back end takes them.
#pragma once
#include "../op.h"
#include <utility>

namespace lensor::ops {

// A matrix as a batch of one; a batch as it is.
inline lensor_view batched(const lensor_view& x) {
  if (x.rank == 3) return x;
  lensor_view all = x;
  all.rank = 3;
  all.shape[0] = 1, all.stride[0] = 0;
  for (int d = 0; d < 2; d++) all.shape[d + 1] = x.shape[d], all.stride[d + 1] = x.stride[d];
  return all;
}

// The rows and columns of a batch exchanged.
inline lensor_view turned(lensor_view x) {
  std::swap(x.shape[1], x.shape[2]);
  std::swap(x.stride[1], x.stride[2]);
  return x;
}

// What is added to a product, laid out as it is.
inline void need_addend(const lensor_view& addend, const lensor_view& out) {
  need(is_floating(out.dtype) && addend.dtype == out.dtype && same_shape(addend, out) &&
       is_contiguous(addend) && is_contiguous(out));
}

// out = a w, with w or a packed weight still to be named.
inline lensor_gemm plain_gemm(const lensor_view& a, const lensor_view& out, double compute) {
  lensor_gemm gemm{};
  gemm.a = &a;
  gemm.compute = static_cast<int>(compute) == LENSOR_BF16 ? LENSOR_BF16 : LENSOR_F32;
  gemm.alpha = 1;
  gemm.activation = -1;
  gemm.out = &out;
  return gemm;
}

} // namespace lensor::ops
