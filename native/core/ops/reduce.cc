// Along the last axis of contiguous [rows, n].
#include "../algebra.h"
#include "../tape.h"
#include "all.h"

namespace lensor::ops {

namespace {

constexpr const char* kReduction[] = {"sum", "mean", "max", "min", "argmax", "argmin"};

int code_of(const Call& call) { return call.params.empty() ? 0 : static_cast<int>(call.params[0]); }

void need_rows(const Tensor& x) { need(x.view.rank == 2 && is_contiguous(x.view)); }

// ---------------------------------------------------------------- reduce
void check_reduce(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1 && code_of(call) >= 0 &&
       code_of(call) < LENSOR_REDUCTION_COUNT);
  need_rows(call.in[0]);
  const lensor_view &x = call.in[0].view, &out = call.out[0].view;
  need(out.rank == 1 && out.shape[0] == x.shape[0]);
  need(code_of(call) >= LENSOR_ARGMAX ? out.dtype == LENSOR_I64 : out.dtype == x.dtype);
}

lensor_status run_reduce(const Running& r) {
  return r.ops->reduce(r.context, static_cast<lensor_reduction>(r.param(0)), &r.in[0], &r.out[0]);
}

uint32_t reduce_keeps(const Call& call) {
  return code_of(call) == LENSOR_MAX || code_of(call) == LENSOR_MIN ? kInput | kResult : 0;
}

void reduce_gradient(Backward& b) {
  const auto op = static_cast<lensor_reduction>(b.param(0));
  const int64_t rows = b.in_view(0).shape[0], n = b.in_view(0).shape[1];
  const Tensor g = expanded(reshaped(b.grad(), {rows, 1}), {rows, n});
  if (op == LENSOR_SUM) return b.give(0, g);
  if (op == LENSOR_MEAN) return b.give(0, scale(g, 1 / static_cast<double>(n)));
  // Those that are the largest share it evenly, as torch's amax has it.
  const Tensor best = expanded(reshaped(b.out(), {rows, 1}), {rows, n});
  const Tensor hit = cast(binary(LENSOR_EQ, b.in(0), best), g.dtype());
  const Tensor count = expanded(reshaped(sum_rows(hit), {rows, 1}), {rows, n});
  b.give(0, mul(g, div(hit, count)));
}

// ---------------------------------------------------------------- softmax; params: log
void check_softmax(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1);
  need_rows(call.in[0]);
  need(same_shape(call.in[0].view, call.out[0].view) && call.in[0].dtype() == call.out[0].dtype());
}

lensor_status run_softmax(const Running& r) {
  return count_of(r.out[0]) ? r.ops->softmax(r.context, &r.in[0], &r.out[0], r.param(0) != 0) : LENSOR_OK;
}

void softmax_gradient(Backward& b) {
  const Tensor y = b.out();
  b.give(0, invoke(kSoftmaxGrad, {y, contiguous(b.grad())}, {b.param(0)}, y.dtype(), y.shape()));
}

void check_softmax_grad(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1);
  for (const Tensor& x : call.in) {
    need_rows(x);
    need(same_shape(x.view, call.out[0].view) && x.dtype() == call.out[0].dtype());
  }
}

lensor_status run_softmax_grad(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->softmax_grad(r.context, &r.in[0], &r.in[1], &r.out[0], r.param(0) != 0);
}

// ---------------------------------------------------------------- cumsum; params: from the end
lensor_status run_cumsum(const Running& r) {
  return count_of(r.out[0]) ? r.ops->cumsum(r.context, &r.in[0], &r.out[0], r.param(0) != 0) : LENSOR_OK;
}

void cumsum_gradient(Backward& b) {
  const Tensor g = contiguous(b.grad());
  b.give(0, invoke(kCumsum, {g}, {b.param(0) != 0 ? 0.0 : 1.0}, g.dtype(), g.shape()));
}

} // namespace

const Op kReduce{.name = "reduce",
                 .check = check_reduce,
                 .run = run_reduce,
                 .gradient = reduce_gradient,
                 .keeps = reduce_keeps,
                 .called = [](const Call& call) { return kReduction[code_of(call)]; }};
const Op kSoftmax{.name = "softmax",
                  .check = check_softmax,
                  .run = run_softmax,
                  .gradient = softmax_gradient,
                  .keeps = [](const Call&) { return kResult; }};
const Op kSoftmaxGrad{.name = "softmaxGrad", .check = check_softmax_grad, .run = run_softmax_grad};
const Op kCumsum{.name = "cumsum", .check = check_softmax, .run = run_cumsum, .gradient = cumsum_gradient};

} // namespace lensor::ops
