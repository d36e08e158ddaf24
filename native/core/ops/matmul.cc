// Products of matrices: of tensors, and with a model's packed weight.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"
#include "product.h"

namespace lensor::ops {

namespace {

// ---------------------------------------------------------------- [M, K] x [K, N], or [B, M, K] x [B, K, N],
// + a third input where there is one; params: compute dtype
void check_matmul(const Call& call) {
  need((call.in.size() == 2 || call.in.size() == 3) && call.out.size() == 1);
  if (call.in.size() == 3) need_addend(call.in[2].view, call.out[0].view);
  const lensor_view &x = call.in[0].view, &y = call.in[1].view, &out = call.out[0].view;
  const int32_t rank = out.rank;
  need((rank == 2 || rank == 3) && x.rank == rank && y.rank == rank && is_contiguous(out));
  // Floats may differ: sums are f32 whatever they are stored in.
  const bool floating = is_floating(x.dtype) && is_floating(y.dtype) && is_floating(out.dtype);
  need(floating || (x.dtype == out.dtype && y.dtype == out.dtype && out.dtype != LENSOR_BOOL &&
                    is_contiguous(x) && is_contiguous(y)));
  need(rank == 2 || (x.shape[0] == out.shape[0] && y.shape[0] == out.shape[0]));
  const int32_t row = rank - 2, column = rank - 1;
  need(x.shape[row] == out.shape[row] && x.shape[column] == y.shape[row] &&
       y.shape[column] == out.shape[column]);
}

lensor_status run_matmul(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  const lensor_view x = batched(r.in[0]), y = batched(r.in[1]), out = batched(r.out[0]);
  // As they lie in memory few rows need no packing; the additions are the same.
  const bool plain = r.in.size() == 2 && x.dtype == out.dtype && y.dtype == out.dtype && is_contiguous(x) &&
                     is_contiguous(y);
  if (plain && static_cast<int>(r.param(0)) != LENSOR_BF16) return r.ops->matmul(r.context, &x, &y, &out);
  lensor_gemm gemm = plain_gemm(x, out, r.param(0));
  gemm.w = &y;
  if (r.in.size() == 3) gemm.addend = r.in[2].data;
  return r.ops->gemm(r.context, &gemm);
}

Tensor times(const Tensor& x, const Tensor& y, double compute, int32_t dtype) {
  Shape shape = x.shape();
  shape.back() = y.shape().back();
  return invoke(kMatmul, {x, y}, {compute}, dtype, shape);
}

void matmul_gradient(Backward& b) {
  const Tensor g = b.grad(), so_far = b.so_far(0);
  if (b.inputs() == 3) b.give(2, g);
  if (b.needs(0) && so_far.buffer)
    invoke(kMatmul, {g, transposed(b.in(1)), so_far}, {b.param(0)}, {so_far});
  else if (b.needs(0))
    b.give(0, times(g, transposed(b.in(1)), b.param(0), b.in_view(0).dtype));
  if (!b.needs(1)) return;
  // A weight [N, K] that is used turned gets its gradient as it lies: g^T x.
  const lensor_view& y = b.in_view(1);
  const bool turned = y.stride[y.rank - 1] != 1 && y.stride[y.rank - 2] == 1;
  if (turned)
    b.give(1, transposed(times(transposed(g), b.in(0), b.param(0), y.dtype)));
  else
    b.give(1, times(transposed(b.in(0)), g, b.param(0), y.dtype));
}

uint32_t matmul_keeps(const Call& call) {
  return (call.in[0].node ? kInput << 1 : 0) | (call.in[1].node ? kInput : 0);
}

// ---------------------------------------------------------------- [M, K] with a frozen weight [N, K];
// + a second input where there is one; params: compute dtype, whether the weight is used as it lies ([M, N]
// -> [M, K], which is the gradient)
void check_linear(const Call& call) {
  need((call.in.size() == 1 || call.in.size() == 2) && call.out.size() == 1 && call.weight);
  if (call.in.size() == 2) need_addend(call.in[1].view, call.out[0].view);
  const lensor_view &x = call.in[0].view, &out = call.out[0].view;
  const bool flipped = call.params.size() > 1 && call.params[1] != 0;
  need(x.rank == 2 && out.rank == 2 && x.shape[0] == out.shape[0] && is_floating(x.dtype) &&
       is_floating(out.dtype));
  const int64_t from = flipped ? call.weight->rows : call.weight->cols,
                to = flipped ? call.weight->cols : call.weight->rows;
  need(x.shape[1] == from && out.shape[1] == to);
}

lensor_status run_linear(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  const lensor_view x = batched(r.in[0]), out = batched(r.out[0]);
  lensor_gemm gemm = plain_gemm(x, out, r.param(0));
  gemm.weight = r.weight;
  gemm.flipped = r.param(1) != 0;
  if (r.in.size() == 2) gemm.addend = r.in[1].data;
  return r.ops->gemm(r.context, &gemm);
}

void linear_gradient(Backward& b) {
  const Node& node = b.node();
  const lensor_view& x = b.in_view(0);
  const bool flipped = b.param(1) != 0;
  const Tensor g = b.grad(), so_far = b.so_far(0);
  if (b.inputs() == 2) b.give(1, g);
  if (!b.needs(0)) return;
  Call call{&kLinear, {g}, {}, {b.param(0), flipped ? 0.0 : 1.0}, node.held, node.weight};
  if (so_far.buffer)
    call.in.push_back(so_far), call.out.push_back(so_far);
  else
    call.out.push_back(make_tensor(x.dtype, {x.shape[0], x.shape[1]}));
  kLinear.check(call);
  enqueue_call(call);
  if (!so_far.buffer) b.give(0, call.out[0]);
}

// ---------------------------------------------------------------- embedding: rows of a frozen weight [N, K]
// by ids
void check_embedding(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1 && call.weight);
  const lensor_view &ids = call.in[0].view, &out = call.out[0].view;
  need(ids.rank == 1 && ids.dtype == LENSOR_I64 && is_contiguous(ids) && out.rank == 2 &&
       out.dtype == LENSOR_F32 && out.shape[0] == ids.shape[0] && out.shape[1] == call.weight->cols);
}

lensor_status run_embedding(const Running& r) {
  const auto* ids = static_cast<const int64_t*>(r.in[0].data);
  for (int64_t i = 0; i < r.in[0].shape[0]; i++) {
    if (ids[i] < 0 || ids[i] >= r.weight->rows) return LENSOR_BAD_INDEX;
    r.ops->weight_row(r.weight, ids[i], static_cast<float*>(r.out[0].data) + i * r.weight->cols);
  }
  return LENSOR_OK;
}

} // namespace

const Op kEmbedding{.name = "embedding", .check = check_embedding, .run = run_embedding};
const Op kMatmul{.name = "matmul",
                 .check = check_matmul,
                 .run = run_matmul,
                 .gradient = matmul_gradient,
                 .keeps = matmul_keeps};
const Op kLinear{.name = "linear", .check = check_linear, .run = run_linear, .gradient = linear_gradient};

} // namespace lensor::ops
