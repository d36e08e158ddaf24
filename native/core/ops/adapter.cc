// A linear layer with a low-rank adapter beside it (LoRA, Hu et al. 2021), and what is added to it:
//   y = x W^T + scale (x A^T) B^T + z,   x [M, K], A [r, K], B [N, r], z [M, N], W [N, K] frozen: packed, or
//   a tensor du = scale g B,  dB = scale g^T u,  dA = du^T x,  dx = g W + du A,  dz = g,   u = x A^T
// In: x, A, B, then W where it is a tensor, then z where there is one. Out: y, u [M, r] f32. Params: compute
// dtype, scale, whether W is a tensor, whether there is a z.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"
#include "product.h"

namespace lensor::ops {

namespace {

void need_matrix(const lensor_view& x, int64_t rows, int64_t cols) {
  need(x.rank == 2 && is_floating(x.dtype) && x.shape[0] == rows && x.shape[1] == cols);
}

void need_base(const Call& call, bool has_w, size_t at, int64_t N, int64_t K) {
  if (has_w)
    need_matrix(call.in[at].view, N, K);
  else
    need(call.weight && call.weight->rows == N && call.weight->cols == K);
}

void check_adapted(const Call& call) {
  need(call.params.size() == 4);
  const bool has_w = call.params[2] != 0, has_z = call.params[3] != 0;
  need(call.in.size() == 3u + has_w + has_z && call.out.size() == 2);
  const lensor_view &x = call.in[0].view, &a = call.in[1].view, &b = call.in[2].view, &y = call.out[0].view,
                    &u = call.out[1].view;
  need(x.rank == 2 && a.rank == 2 && y.rank == 2 && is_floating(x.dtype));
  need_matrix(a, a.shape[0], x.shape[1]);
  need_matrix(b, y.shape[1], a.shape[0]);
  need_matrix(y, x.shape[0], y.shape[1]);
  need_matrix(u, x.shape[0], a.shape[0]);
  need(is_contiguous(y) && is_contiguous(u) && u.dtype == LENSOR_F32);
  need_base(call, has_w, 3, y.shape[1], x.shape[1]);
  if (has_z) need_addend(call.in[3 + has_w].view, y);
}

// out = x (base + scale down up) + addend, and inner = x down.
lensor_status multiply(const Running& r, const lensor_view& x, const lensor_view* base, bool back,
                       const lensor_view& down, const lensor_view& up, const lensor_view& inner,
                       const lensor_view& out, const void* addend) {
  const lensor_low_rank low{&down, &up, static_cast<float>(r.param(1)), static_cast<float*>(inner.data)};
  lensor_gemm gemm = plain_gemm(x, out, r.param(0));
  lensor_view w{};
  if (base) {
    w = back ? batched(*base) : turned(batched(*base));
    gemm.w = &w;
  }
  gemm.weight = base ? nullptr : r.weight;
  gemm.flipped = back;
  gemm.low_rank = &low;
  gemm.addend = addend;
  return r.ops->gemm(r.context, &gemm);
}

lensor_status run_adapted(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  const bool has_w = r.param(2) != 0;
  return multiply(r, batched(r.in[0]), has_w ? &r.in[3] : nullptr, false, turned(batched(r.in[1])),
                  turned(batched(r.in[2])), batched(r.out[1]), batched(r.out[0]),
                  r.param(3) != 0 ? r.in[3 + has_w].data : nullptr);
}

void adapted_gradient(Backward& b) {
  if (b.has_grad(1))
    throw Invalid("backward: an adapter's inner result has no gradient. Use the layer's result.");
  const bool has_w = b.param(2) != 0, has_z = b.param(3) != 0;
  if (has_w && b.needs(3))
    throw Invalid("backward: the weight beside an adapter is frozen. Ask for the adapter's gradients alone.");
  const Tensor g = contiguous(b.grad()), x = b.in(0), low = b.in(1), high = b.in(2), so_far = b.so_far(0);
  const bool adds = so_far.buffer != nullptr;
  // dx is made of a layer whose input asks for none too: du comes with it.
  Call call{&kAdaptedGrad,
            {g, x, low, high, b.out(1)},
            {make_tensor(low.dtype(), low.shape()), make_tensor(high.dtype(), high.shape()),
             make_tensor(LENSOR_F32, {x.view.shape[0], low.view.shape[0]}),
             adds ? so_far : make_tensor(x.dtype(), x.shape())},
            {b.param(0), b.param(1), b.param(2), adds ? 1.0 : 0.0},
            b.node().held,
            b.node().weight};
  if (has_w) call.in.push_back(b.in(3));
  if (adds) call.in.push_back(so_far);
  call.op->check(call);
  enqueue_call(call);
  b.give(1, call.out[0]);
  b.give(2, call.out[1]);
  if (b.needs(0) && !adds) b.give(0, call.out[3]);
  if (has_z) b.give(3 + has_w, g);
}

// In: g, x, A, B, u, then W, then what dx is added to. Out: dA, dB, du / scale, dx. Params as above, the last
// whether dx is added.
void check_adapted_grad(const Call& call) {
  need(call.params.size() == 4);
  const bool has_w = call.params[2] != 0, adds = call.params[3] != 0;
  need(call.in.size() == 5u + has_w + adds && call.out.size() == 4);
  const lensor_view &g = call.in[0].view, &x = call.in[1].view, &a = call.in[2].view;
  need(g.rank == 2 && x.rank == 2 && a.rank == 2 && is_floating(g.dtype) && is_floating(x.dtype));
  const int64_t M = x.shape[0], K = x.shape[1], N = g.shape[1], rank = a.shape[0];
  need_matrix(g, M, N), need_matrix(a, rank, K), need_matrix(call.in[3].view, N, rank);
  need_matrix(call.in[4].view, M, rank);
  for (const Tensor& out : call.out) need(is_contiguous(out.view));
  need_matrix(call.out[0].view, rank, K), need_matrix(call.out[1].view, N, rank);
  need_matrix(call.out[2].view, M, rank), need_matrix(call.out[3].view, M, K);
  need(call.out[2].dtype() == LENSOR_F32);
  need_base(call, has_w, 5, N, K);
  if (adds) need_addend(call.in[5 + has_w].view, call.out[3].view);
}

// out = scale x^T y
lensor_status scaled_outer(const Running& r, const lensor_view& x, const lensor_view& y,
                           const lensor_view& out) {
  const lensor_view a = turned(x);
  lensor_gemm gemm = plain_gemm(a, out, r.param(0));
  gemm.w = &y;
  gemm.alpha = static_cast<float>(r.param(1));
  return r.ops->gemm(r.context, &gemm);
}

lensor_status run_adapted_grad(const Running& r) {
  const bool has_w = r.param(2) != 0;
  const lensor_view g = batched(r.in[0]), x = batched(r.in[1]), du = batched(r.out[2]),
                    da = batched(r.out[0]), db = batched(r.out[1]);
  if (const auto status = multiply(r, g, has_w ? &r.in[5] : nullptr, true, batched(r.in[3]), batched(r.in[2]),
                                   du, batched(r.out[3]), r.param(3) != 0 ? r.in[5 + has_w].data : nullptr))
    return status;
  if (const auto status = scaled_outer(r, g, batched(r.in[4]), db)) return status;
  return scaled_outer(r, du, x, da);
}

} // namespace

const Op kAdapted{.name = "adapted",
                  .check = check_adapted,
                  .run = run_adapted,
                  .gradient = adapted_gradient,
                  .keeps = [](const Call& call) {
                    const uint32_t base = call.params[2] != 0 ? kInput << 3 : 0;
                    return kInput | kInput << 1 | kInput << 2 | base | kResult << 1;
                  }};
const Op kAdaptedGrad{.name = "adaptedGrad", .check = check_adapted_grad, .run = run_adapted_grad};

} // namespace lensor::ops
