// Along time: linear recurrences, and the columns of a convolution.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"

namespace lensor::ops {

namespace {

void need_cube(const Tensor& x) {
  need(x.view.rank == 3 && x.dtype() == LENSOR_F32 && is_contiguous(x.view));
}

// ---------------------------------------------------------------- scan: h[t] = a[t] h[t - 1] + x[t] along
// the middle axis; params: from the end
void check_scan(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1 && call.params.size() == 1);
  need_cube(call.out[0]);
  for (const Tensor& x : call.in) {
    need_cube(x);
    need(same_shape(x.view, call.out[0].view));
  }
}

lensor_status run_scan(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->scan(r.context, &r.in[0], &r.in[1], &r.out[0], r.param(0) != 0);
}

// The middle axis moved by one step, 0 where nothing comes from.
Tensor shifted(const Tensor& x, bool later) {
  Tensor moved = zeros(x.dtype(), x.shape());
  if (x.view.shape[1] < 2) return moved;
  lensor_view to = moved.view;
  Tensor from = x;
  to.shape[1] = from.view.shape[1] = x.view.shape[1] - 1;
  const auto step = static_cast<uintptr_t>(x.view.stride[1]) * dtype_bytes(x.dtype());
  if (later)
    to.data = static_cast<char*>(to.data) + step;
  else
    from.view.data = static_cast<char*>(from.view.data) + step;
  copy_into(moved, to, from);
  return moved;
}

// dx[t] = g[t] + a[t + 1] dx[t + 1];  da[t] = dx[t] h[t - 1]
void scan_gradient(Backward& b) {
  const bool reverse = b.param(0) != 0;
  const Tensor g = contiguous(b.grad());
  const Tensor dx =
      invoke(kScan, {shifted(b.in(0), reverse), g}, {reverse ? 0.0 : 1.0}, g.dtype(), g.shape());
  b.give(1, dx);
  if (b.needs(0)) b.give(0, mul(dx, shifted(b.out(), !reverse)));
}

// ---------------------------------------------------------------- unfold: x [N, C, L] -> [N, C, kernel,
// steps]; fold adds back; params: stride, padding, dilation
void check_columns(const lensor_view& x, const lensor_view& columns, const std::vector<double>& params) {
  need(params.size() == 3 && x.rank == 3 && columns.rank == 4 && is_contiguous(x) && is_contiguous(columns));
  need(x.dtype == LENSOR_F32 && columns.dtype == LENSOR_F32 && x.shape[0] == columns.shape[0] &&
       x.shape[1] == columns.shape[1]);
  for (double p : params) need(p >= 0 && p < 0x1p40 && p == static_cast<double>(static_cast<int64_t>(p)));
  need(params[0] >= 1 && params[2] >= 1 && columns.shape[2] >= 1);
  const double span = static_cast<double>(x.shape[2]) + 2 * params[1] -
                      params[2] * (static_cast<double>(columns.shape[2]) - 1) - 1;
  need(span >= 0 && columns.shape[3] == static_cast<int64_t>(span / params[0]) + 1);
}

void check_unfold(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1);
  check_columns(call.in[0].view, call.out[0].view, call.params);
}

void check_fold(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1);
  check_columns(call.out[0].view, call.in[0].view, call.params);
}

template <auto function> lensor_status run_columns(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return (r.ops->*function)(r.context, &r.in[0], static_cast<int64_t>(r.param(0)),
                            static_cast<int64_t>(r.param(1)), static_cast<int64_t>(r.param(2)), &r.out[0]);
}

template <const Op& adjoint> void columns_gradient(Backward& b) {
  const lensor_view& x = b.in_view(0);
  b.give(0, invoke(adjoint, {contiguous(b.grad())}, b.node().params, x.dtype, {x.shape, x.shape + x.rank}));
}

} // namespace

const Op kScan{.name = "scan",
               .check = check_scan,
               .run = run_scan,
               .gradient = scan_gradient,
               .keeps = [](const Call&) { return kInput | kResult; }};
const Op kUnfold{.name = "unfold",
                 .check = check_unfold,
                 .run = run_columns<&lensor_ops::unfold>,
                 .gradient = columns_gradient<kFold>};
const Op kFold{.name = "fold",
               .check = check_fold,
               .run = run_columns<&lensor_ops::fold>,
               .gradient = columns_gradient<kUnfold>};

} // namespace lensor::ops
