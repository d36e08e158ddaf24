// A linear layer with a low-rank adapter beside it (LoRA, Hu et al. 2021):
//   y = x W^T + scale (x A^T) B^T,   x [M, K], A [r, K], B [N, r], W [N, K] frozen: packed, or a tensor
//   du = scale g B,  dB = scale g^T u,  dA = du^T x,  dx = g W + du A,   u = x A^T
// In: x, A, B, then W where it is a tensor. Out: y, u [M, r]. Params: compute dtype, scale, whether W is a
// tensor.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"
#include "product.h"

namespace lensor::ops {

namespace {

void need_matrix(const lensor_view& x, int64_t rows, int64_t cols) {
  need(x.rank == 2 && is_floating(x.dtype) && x.shape[0] == rows && x.shape[1] == cols);
}

void check_adapted(const Call& call) {
  need(call.params.size() == 3);
  const bool has_w = call.params[2] != 0;
  need(call.in.size() == 3u + has_w && call.out.size() == 2 && (has_w || call.weight));
  const lensor_view &x = call.in[0].view, &a = call.in[1].view, &b = call.in[2].view, &y = call.out[0].view;
  need(x.rank == 2 && a.rank == 2 && y.rank == 2 && is_floating(x.dtype));
  need_matrix(a, a.shape[0], x.shape[1]);
  need_matrix(b, y.shape[1], a.shape[0]);
  need_matrix(y, x.shape[0], y.shape[1]);
  need_matrix(call.out[1].view, x.shape[0], a.shape[0]);
  need(is_contiguous(y) && is_contiguous(call.out[1].view));
  if (has_w)
    need_matrix(call.in[3].view, y.shape[1], x.shape[1]);
  else
    need(call.weight->rows == y.shape[1] && call.weight->cols == x.shape[1]);
}

// out (+)= alpha x w^T, or with `w` turned before x w.
lensor_status multiply(const Running& r, const lensor_view& x, const lensor_view& w, const lensor_view& out,
                       double alpha, bool add) {
  lensor_gemm gemm = plain_gemm(x, out, r.param(0));
  gemm.w = &w;
  gemm.alpha = static_cast<float>(alpha);
  gemm.accumulate = add;
  return r.ops->gemm(r.context, &gemm);
}

// out = x W^T, or back: out = x W.
lensor_status through_base(const Running& r, const lensor_view& x, const lensor_view& out,
                           const lensor_view* base, bool back) {
  lensor_gemm gemm = plain_gemm(x, out, r.param(0));
  lensor_view w{};
  if (base) {
    w = back ? batched(*base) : turned(batched(*base));
    gemm.w = &w;
  }
  gemm.weight = base ? nullptr : r.weight;
  gemm.flipped = back;
  return r.ops->gemm(r.context, &gemm);
}

lensor_status run_adapted(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  const lensor_view x = batched(r.in[0]), a = batched(r.in[1]), b = batched(r.in[2]), y = batched(r.out[0]),
                    u = batched(r.out[1]);
  if (const auto status = through_base(r, x, y, r.param(2) != 0 ? &r.in[3] : nullptr, false)) return status;
  if (const auto status = multiply(r, x, turned(a), u, 1, false)) return status;
  return multiply(r, u, turned(b), y, r.param(1), true);
}

void adapted_gradient(Backward& b) {
  if (b.has_grad(1))
    throw Invalid("backward: an adapter's inner result has no gradient. Use the layer's result.");
  const bool has_w = b.param(2) != 0;
  if (has_w && b.needs(3))
    throw Invalid("backward: the weight beside an adapter is frozen. Ask for the adapter's gradients alone.");
  const Tensor g = contiguous(b.grad()), x = b.in(0), low = b.in(1), high = b.in(2), u = b.out(1);
  const int64_t rank = low.view.shape[0];
  std::vector<Tensor> in{g, x, low, high, u};
  if (has_w) in.push_back(b.in(3));
  const std::vector<Tensor> out{make_tensor(low.dtype(), low.shape()),
                                make_tensor(high.dtype(), high.shape()),
                                make_tensor(LENSOR_F32, {g.view.shape[0], rank}),
                                make_tensor(x.dtype(), b.needs(0) ? x.shape() : Shape{0, 0})};
  const Call call{&kAdaptedGrad, in, out, b.node().params, b.node().held, b.node().weight};
  call.op->check(call);
  enqueue_call(call);
  b.give(1, out[0]);
  b.give(2, out[1]);
  if (b.needs(0)) b.give(0, out[3]);
}

// In: g, x, A, B, u, then W. Out: dA, dB, du, dx (of no elements where it is not wanted).
void check_adapted_grad(const Call& call) {
  need(call.params.size() == 3);
  const bool has_w = call.params[2] != 0;
  need(call.in.size() == 5u + has_w && call.out.size() == 4 && (has_w || call.weight));
  const lensor_view &g = call.in[0].view, &x = call.in[1].view, &a = call.in[2].view;
  need(g.rank == 2 && x.rank == 2 && a.rank == 2 && is_floating(g.dtype) && is_floating(x.dtype));
  const int64_t M = x.shape[0], K = x.shape[1], N = g.shape[1], rank = a.shape[0];
  need_matrix(g, M, N), need_matrix(a, rank, K), need_matrix(call.in[3].view, N, rank);
  need_matrix(call.in[4].view, M, rank);
  for (const Tensor& out : call.out) need(is_contiguous(out.view));
  need_matrix(call.out[0].view, rank, K), need_matrix(call.out[1].view, N, rank);
  need_matrix(call.out[2].view, M, rank);
  if (count_of(call.out[3].view)) need_matrix(call.out[3].view, M, K);
  if (has_w)
    need_matrix(call.in[5].view, N, K);
  else
    need(call.weight->rows == N && call.weight->cols == K);
}

lensor_status run_adapted_grad(const Running& r) {
  const lensor_view g = batched(r.in[0]), x = batched(r.in[1]), a = batched(r.in[2]), b = batched(r.in[3]),
                    u = batched(r.in[4]);
  const lensor_view da = batched(r.out[0]), db = batched(r.out[1]), du = batched(r.out[2]);
  if (const auto status = multiply(r, turned(g), u, db, r.param(1), false)) return status;
  if (const auto status = multiply(r, g, b, du, r.param(1), false)) return status;
  if (const auto status = multiply(r, turned(du), x, da, 1, false)) return status;
  if (!count_of(r.out[3])) return LENSOR_OK;
  const lensor_view dx = batched(r.out[3]);
  if (const auto status = through_base(r, g, dx, r.param(2) != 0 ? &r.in[5] : nullptr, true)) return status;
  return multiply(r, du, a, dx, 1, true);
}

} // namespace

const Op kAdapted{
    .name = "adapted",
    .check = check_adapted,
    .run = run_adapted,
    .gradient = adapted_gradient,
    .keeps = [](const Call&) { return kInput | kInput << 1 | kInput << 2 | kInput << 3 | kResult << 1; }};
const Op kAdaptedGrad{.name = "adaptedGrad", .check = check_adapted_grad, .run = run_adapted_grad};

} // namespace lensor::ops
