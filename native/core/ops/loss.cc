// Likelihoods of target classes: of logits that are there, and of a linear layer's, which never stand in
// memory all at once: some rows at a time become logits, losses and gradients (as in Liger kernels, Hsu et
// al. 2024).
#include "../algebra.h"
#include "../tape.h"
#include "all.h"
#include <algorithm>
#include <cstring>

namespace lensor::ops {

namespace {

// Rows whose logits stand in memory together: enough that reading the weight is shared. A constant, since the
// gradient of the weight adds up chunk by chunk.
constexpr int64_t kChunk = 256;

bool is_wide(int32_t dtype) { return dtype == LENSOR_F32 || dtype == LENSOR_BF16; }

void need_row(const Tensor& x, int32_t dtype, int64_t rows) {
  need(x.view.rank == 1 && x.dtype() == dtype && is_contiguous(x.view) && x.view.shape[0] == rows);
}

// ---------------------------------------------------------------- rowLoss: logits [rows, classes], targets
// [rows] -> [rows]; params: ignore, smoothing
void check_row_loss(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1 && call.params.size() == 2);
  const lensor_view& x = call.in[0].view;
  need(x.rank == 2 && x.dtype == LENSOR_F32 && is_contiguous(x) && x.shape[1] > 0);
  need_row(call.in[1], LENSOR_I64, x.shape[0]);
  need_row(call.out[0], LENSOR_F32, x.shape[0]);
}

lensor_loss_rows rows_of(const lensor_view& logits, const void* targets, const Running& r, size_t ignore) {
  lensor_loss_rows rows{};
  rows.rows = logits.shape[0], rows.classes = logits.shape[1];
  rows.logits = static_cast<float*>(logits.data);
  rows.targets = static_cast<const int64_t*>(targets);
  rows.ignore = static_cast<int64_t>(r.param(ignore));
  rows.smoothing = static_cast<float>(r.param(ignore + 1));
  return rows;
}

lensor_status run_row_loss(const Running& r) {
  if (!r.in[0].shape[0]) return LENSOR_OK;
  lensor_loss_rows rows = rows_of(r.in[0], r.in[1].data, r, 0);
  rows.loss = static_cast<float*>(r.out[0].data);
  return r.ops->loss_rows(r.context, &rows);
}

void row_loss_gradient(Backward& b) {
  const Tensor x = b.in(0);
  b.give(0, invoke(kRowLossGrad, {x, b.in(1), contiguous(b.grad())}, b.node().params, x.dtype(), x.shape()));
}

void check_row_loss_grad(const Call& call) {
  need(call.in.size() == 3 && call.out.size() == 1 && call.params.size() == 2);
  const lensor_view& x = call.in[0].view;
  need(x.rank == 2 && x.dtype == LENSOR_F32 && is_contiguous(x) && same_shape(x, call.out[0].view));
  need(call.out[0].dtype() == LENSOR_F32);
  need_row(call.in[1], LENSOR_I64, x.shape[0]);
  need_row(call.in[2], LENSOR_F32, x.shape[0]);
}

lensor_status run_row_loss_grad(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  if (const auto status = r.ops->copy(r.context, &r.in[0], &r.out[0])) return status;
  lensor_loss_rows rows = rows_of(r.out[0], r.in[1].data, r, 0);
  rows.factor = static_cast<const float*>(r.in[2].data);
  return r.ops->loss_rows(r.context, &rows);
}

// ---------------------------------------------------------------- a linear layer's likelihoods, chunk by
// chunk x [rows, K] and the layer's weight: a tensor [N, K], or packed.
struct Layer {
  lensor_view x;
  const lensor_view* w;
  const lensor_weight* weight;
  int64_t rows, width, classes;
  int32_t compute;
};

struct Wanted {
  float* loss = nullptr;         // [rows]
  const float* factor = nullptr; // [rows], for gradients
  const lensor_view *dx = nullptr, *dw = nullptr;
};

lensor_view cube(void* data, int32_t dtype, int64_t m, int64_t n, int64_t row, int64_t column) {
  lensor_view view{};
  view.data = data, view.dtype = dtype, view.rank = 3;
  view.shape[0] = 1, view.shape[1] = m, view.shape[2] = n;
  view.stride[1] = row, view.stride[2] = column;
  return view;
}

lensor_view rows_at(const lensor_view& matrix, int64_t first, int64_t count) {
  char* data = static_cast<char*>(matrix.data) +
               first * matrix.stride[0] * static_cast<int64_t>(dtype_bytes(matrix.dtype));
  return cube(data, matrix.dtype, count, matrix.shape[1], matrix.stride[0], matrix.stride[1]);
}

lensor_status multiply(const Running& r, const Layer& layer, const lensor_view& a, const lensor_view& out,
                       bool back) {
  lensor_gemm gemm{};
  lensor_view w{};
  gemm.a = &a;
  if (layer.w) {
    w = back ? cube(layer.w->data, layer.w->dtype, layer.classes, layer.width, layer.w->stride[0],
                    layer.w->stride[1])
             : cube(layer.w->data, layer.w->dtype, layer.width, layer.classes, layer.w->stride[1],
                    layer.w->stride[0]);
    gemm.w = &w;
  }
  gemm.weight = layer.weight;
  gemm.flipped = back;
  gemm.compute = layer.compute;
  gemm.alpha = 1;
  gemm.activation = -1;
  gemm.out = &out;
  return r.ops->gemm(r.context, &gemm);
}

// dw += dlogits^T x
lensor_status add_outer(const Running& r, const Layer& layer, const lensor_view& dlogits,
                        const lensor_view& x, const lensor_view& dw) {
  const int64_t rows = x.shape[1];
  const lensor_view a = cube(dlogits.data, LENSOR_F32, layer.classes, rows, 1, layer.classes);
  const lensor_view out = cube(dw.data, dw.dtype, layer.classes, layer.width, layer.width, 1);
  lensor_gemm gemm{};
  gemm.a = &a;
  gemm.w = &x;
  gemm.compute = layer.compute;
  gemm.alpha = 1;
  gemm.activation = -1;
  gemm.addend = dw.data;
  gemm.out = &out;
  return r.ops->gemm(r.context, &gemm);
}

lensor_status in_chunks(const Running& r, const Layer& layer, const int64_t* targets, double ignore,
                        double smoothing, const Wanted& wanted) {
  const Block scratch(static_cast<size_t>(std::min(kChunk, layer.rows) * layer.classes) * sizeof(float));
  if (wanted.dw) std::memset(wanted.dw->data, 0, count_of(*wanted.dw) * dtype_bytes(wanted.dw->dtype));
  for (int64_t first = 0; first < layer.rows; first += kChunk) {
    const int64_t count = std::min(kChunk, layer.rows - first);
    const lensor_view x = rows_at(layer.x, first, count);
    const lensor_view logits = cube(scratch.data(), LENSOR_F32, count, layer.classes, layer.classes, 1);
    if (const auto status = multiply(r, layer, x, logits, false)) return status;
    lensor_loss_rows rows{};
    rows.rows = count, rows.classes = layer.classes;
    rows.logits = scratch.as<float>();
    rows.targets = targets + first;
    rows.ignore = static_cast<int64_t>(ignore);
    rows.smoothing = static_cast<float>(smoothing);
    rows.loss = wanted.loss ? wanted.loss + first : nullptr;
    rows.factor = wanted.factor ? wanted.factor + first : nullptr;
    if (const auto status = r.ops->loss_rows(r.context, &rows)) return status;
    if (wanted.dx)
      if (const auto status = multiply(r, layer, logits, rows_at(*wanted.dx, first, count), true))
        return status;
    if (wanted.dw)
      if (const auto status = add_outer(r, layer, logits, x, *wanted.dw)) return status;
  }
  return LENSOR_OK;
}

// Inputs: x, targets, `others`, then w where it is a tensor.
Layer layer_of(const Running& r, size_t w, bool has_w, double compute) {
  const lensor_view& x = r.in[0];
  Layer layer{x,
              has_w ? &r.in[w] : nullptr,
              has_w ? nullptr : r.weight,
              x.shape[0],
              x.shape[1],
              0,
              static_cast<int>(compute) == LENSOR_BF16 ? LENSOR_BF16 : LENSOR_F32};
  layer.classes = has_w ? r.in[w].shape[0] : r.weight->rows;
  return layer;
}

void check_layer(const Call& call, size_t w, bool has_w) {
  need(call.in.size() == w + has_w && (has_w || call.weight));
  const lensor_view& x = call.in[0].view;
  need(x.rank == 2 && is_wide(x.dtype) && x.shape[1] > 0 && x.stride[1] == 1);
  need_row(call.in[1], LENSOR_I64, x.shape[0]);
  if (has_w) {
    const lensor_view& weight = call.in[w].view;
    need(weight.rank == 2 && is_floating(weight.dtype) && weight.shape[1] == x.shape[1] &&
         weight.shape[0] > 0);
  } else {
    need(call.weight->cols == x.shape[1]);
  }
}

void need_like(const Tensor& result, const Tensor& of) {
  need(same_shape(result.view, of.view) && result.dtype() == of.dtype() && is_contiguous(result.view));
}

// ---------------------------------------------------------------- linearLoss: sum of weights[i] loss[i], and
// the losses; with the gradients for d loss = 1 where they will be asked for
//   in: x, targets, weights [rows], w where it is a tensor; out: loss [], losses [rows], dx, dw
//   params: ignore, smoothing, compute, whether w is a tensor, whether dx, dw are wanted
void check_linear_loss(const Call& call) {
  need(call.params.size() == 6);
  const bool has_w = call.params[3] != 0, dx = call.params[4] != 0, dw = call.params[5] != 0;
  check_layer(call, 3, has_w);
  need(call.out.size() == 2u + dx + dw && (!dw || has_w));
  need_row(call.in[2], LENSOR_F32, call.in[0].view.shape[0]);
  need(call.out[0].view.rank == 0 && call.out[0].dtype() == LENSOR_F32);
  need_row(call.out[1], LENSOR_F32, call.in[0].view.shape[0]);
  if (dx) need_like(call.out[2], call.in[0]);
  if (dw) need_like(call.out[2 + dx], call.in[3]), need(call.in[3].dtype() == LENSOR_F32);
}

lensor_status run_linear_loss(const Running& r) {
  const bool has_w = r.param(3) != 0, dx = r.param(4) != 0, dw = r.param(5) != 0;
  const Layer layer = layer_of(r, 3, has_w, r.param(2));
  const auto* weights = static_cast<const float*>(r.in[2].data);
  auto* losses = static_cast<float*>(r.out[1].data);
  Wanted wanted{losses, dx || dw ? weights : nullptr, dx ? &r.out[2] : nullptr,
                dw ? &r.out[2 + dx] : nullptr};
  if (const auto status =
          in_chunks(r, layer, static_cast<const int64_t*>(r.in[1].data), r.param(0), r.param(1), wanted))
    return status;
  double sum = 0;
  for (int64_t i = 0; i < layer.rows; i++) sum += static_cast<double>(weights[i]) * losses[i];
  *static_cast<float*>(r.out[0].data) = static_cast<float>(sum);
  return LENSOR_OK;
}

uint32_t linear_loss_keeps(const Call& call) {
  const bool dx = call.params[4] != 0, dw = call.params[5] != 0;
  return (dx ? kResult << 2 : 0) | (dw ? kResult << (2 + dx) : 0);
}

void linear_loss_gradient(Backward& b) {
  const bool dx = b.param(4) != 0, dw = b.param(5) != 0;
  for (size_t i = 1; i < 2u + dx + dw; i++)
    if (b.has_grad(i))
      throw Invalid("backward: the losses of single rows have no gradient here. Use linearLogprobs.");
  // In the memory of what was computed on the way forth.
  const auto scaled = [&](size_t i) {
    const Tensor gradient = b.take(i);
    if (!b.is_one())
      invoke(kBinary, {gradient, expanded(cast(b.grad(), gradient.dtype()), gradient.shape())}, {LENSOR_MUL},
             {gradient});
    return gradient;
  };
  if (dx && b.needs(0)) b.give(0, scaled(2));
  if (dw && b.needs(3)) b.give(3, scaled(2 + dx));
}

// ---------------------------------------------------------------- linearLogprobs: log p(targets[i] | x[i]),
// 0 where ignored
//   in: x, targets, w where it is a tensor; out: [rows]; params: ignore, compute, whether w is a tensor
void check_linear_logprobs(const Call& call) {
  need(call.params.size() == 3 && call.out.size() == 1);
  check_layer(call, 2, call.params[2] != 0);
  need_row(call.out[0], LENSOR_F32, call.in[0].view.shape[0]);
}

lensor_status run_linear_logprobs(const Running& r) {
  const Layer layer = layer_of(r, 2, r.param(2) != 0, r.param(1));
  auto* out = static_cast<float*>(r.out[0].data);
  const Wanted wanted{out};
  if (const auto status =
          in_chunks(r, layer, static_cast<const int64_t*>(r.in[1].data), r.param(0), 0, wanted))
    return status;
  for (int64_t i = 0; i < layer.rows; i++) out[i] = 0 - out[i]; // not -0
  return LENSOR_OK;
}

void linear_logprobs_gradient(Backward& b) {
  const bool has_w = b.param(2) != 0, dw = has_w && b.needs(2);
  std::vector<Tensor> in{b.in(0), b.in(1), contiguous(neg(b.grad()))}, out;
  if (has_w) in.push_back(b.in(2));
  std::vector<double> params = b.node().params;
  params.push_back(b.needs(0)), params.push_back(dw);
  if (b.needs(0)) out.push_back(make_tensor(in[0].dtype(), in[0].shape()));
  if (dw) out.push_back(make_tensor(in[3].dtype(), in[3].shape()));
  const Call call{&kLinearLogprobsGrad, in, out, params, b.node().held, b.node().weight};
  call.op->check(call);
  enqueue_call(call);
  if (b.needs(0)) b.give(0, out[0]);
  if (dw) b.give(2, out[b.needs(0)]);
}

void check_linear_logprobs_grad(const Call& call) {
  need(call.params.size() == 5);
  const bool has_w = call.params[2] != 0, dx = call.params[3] != 0, dw = call.params[4] != 0;
  check_layer(call, 3, has_w);
  need(call.out.size() == size_t(dx) + dw && (!dw || has_w));
  need_row(call.in[2], LENSOR_F32, call.in[0].view.shape[0]);
  if (dx) need_like(call.out[0], call.in[0]);
  if (dw) need_like(call.out[dx], call.in[3]), need(call.in[3].dtype() == LENSOR_F32);
}

lensor_status run_linear_logprobs_grad(const Running& r) {
  const bool dx = r.param(3) != 0, dw = r.param(4) != 0;
  const Layer layer = layer_of(r, 3, r.param(2) != 0, r.param(1));
  const Wanted wanted{nullptr, static_cast<const float*>(r.in[2].data), dx ? &r.out[0] : nullptr,
                      dw ? &r.out[dx] : nullptr};
  return in_chunks(r, layer, static_cast<const int64_t*>(r.in[1].data), r.param(0), 0, wanted);
}

} // namespace

const Op kRowLoss{.name = "rowLoss",
                  .check = check_row_loss,
                  .run = run_row_loss,
                  .gradient = row_loss_gradient,
                  .keeps = [](const Call&) { return kInput | kInput << 1; }};
const Op kRowLossGrad{.name = "rowLossGrad", .check = check_row_loss_grad, .run = run_row_loss_grad};
const Op kLinearLoss{.name = "linearLoss",
                     .check = check_linear_loss,
                     .run = run_linear_loss,
                     .gradient = linear_loss_gradient,
                     .keeps = linear_loss_keeps};
const Op kLinearLogprobs{.name = "linearLogprobs",
                         .check = check_linear_logprobs,
                         .run = run_linear_logprobs,
                         .gradient = linear_logprobs_gradient,
                         .keeps = [](const Call&) { return kInput | kInput << 1 | kInput << 2; }};
const Op kLinearLogprobsGrad{
    .name = "linearLogprobsGrad", .check = check_linear_logprobs_grad, .run = run_linear_logprobs_grad};

} // namespace lensor::ops
