// What stands between the matrices of a transformer block: norms, gated units, rotary positions. Rows are
// contiguous.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"

namespace lensor::ops {

namespace {

bool is_wide(int32_t dtype) { return dtype == LENSOR_F32 || dtype == LENSOR_BF16; }

void need_vector(const Tensor& x, int64_t length) {
  need(x.view.rank == 1 && x.dtype() == LENSOR_F32 && is_contiguous(x.view) && x.view.shape[0] == length);
}

// ---------------------------------------------------------------- norm: x [rows, width], then gain and bias
// where they are; params: layer (else rms), epsilon, whether there is a gain, a bias
struct NormParts {
  bool layer, gain, bias;
  float epsilon;
};

NormParts norm_parts(const std::vector<double>& params) {
  need(params.size() == 4);
  return {params[0] != 0, params[2] != 0, params[3] != 0, static_cast<float>(params[1])};
}

void check_norm(const Call& call) {
  const NormParts parts = norm_parts(call.params);
  need(call.in.size() == 1u + parts.gain + parts.bias && call.out.size() == 1);
  const lensor_view& x = call.in[0].view;
  need(x.rank == 2 && is_contiguous(x) && is_wide(x.dtype) && x.shape[1] > 0);
  need(same_shape(x, call.out[0].view) && is_wide(call.out[0].dtype()));
  for (size_t i = 1; i < call.in.size(); i++) need_vector(call.in[i], x.shape[1]);
}

const float* floats_of(const lensor_view& view) { return static_cast<const float*>(view.data); }

lensor_status run_norm(const Running& r) {
  const NormParts parts = norm_parts(r.params);
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->norm(r.context, parts.layer, &r.in[0], parts.gain ? floats_of(r.in[1]) : nullptr,
                     parts.bias ? floats_of(r.in[1 + parts.gain]) : nullptr, parts.epsilon, &r.out[0]);
}

void norm_gradient(Backward& b) {
  const Tensor x = b.in(0), g = contiguous(b.grad());
  const bool gain = b.param(2) != 0, bias = b.param(3) != 0;
  const int64_t width = x.view.shape[1];
  std::vector<Tensor> in{x, g};
  if (gain) in.push_back(b.in(1));
  const Tensor vector = make_tensor(LENSOR_F32, {width}), other = make_tensor(LENSOR_F32, {width});
  const auto made =
      invoke(kNormGrad, in, b.node().params, {make_tensor(x.dtype(), x.shape()), vector, other});
  b.give(0, made[0]);
  if (gain) b.give(1, made[1]);
  if (bias) b.give(1 + gain, made[2]);
}

void check_norm_grad(const Call& call) {
  const NormParts parts = norm_parts(call.params);
  need(call.in.size() == 2u + parts.gain && call.out.size() == 3);
  const lensor_view& x = call.in[0].view;
  need(x.rank == 2 && is_contiguous(x) && is_wide(x.dtype));
  for (const Tensor* other : {&call.in[1], &call.out[0]})
    need(same_shape(x, other->view) && is_contiguous(other->view) && is_wide(other->dtype()));
  need(call.out[0].dtype() == x.dtype);
  need_vector(call.out[1], x.shape[1]), need_vector(call.out[2], x.shape[1]);
  if (parts.gain) need_vector(call.in[2], x.shape[1]);
}

lensor_status run_norm_grad(const Running& r) {
  const NormParts parts = norm_parts(r.params);
  return r.ops->norm_grad(r.context, parts.layer, &r.in[0], parts.gain ? floats_of(r.in[2]) : nullptr,
                          parts.epsilon, &r.in[1], &r.out[0], static_cast<float*>(r.out[1].data),
                          static_cast<float*>(r.out[2].data));
}

// ---------------------------------------------------------------- glu: f(gate) up; params: f
bool is_gate(double code) {
  switch (static_cast<int>(code)) {
  case LENSOR_RELU:
  case LENSOR_SIGMOID:
  case LENSOR_SILU:
  case LENSOR_GELU:
  case LENSOR_GELU_TANH:
    return true;
  default:
    return false;
  }
}

void check_alike(const Call& call, size_t in, size_t out) {
  need(call.in.size() == in && call.out.size() == out && !call.params.empty() && is_gate(call.params[0]));
  for (const auto* list : {&call.in, &call.out})
    for (const Tensor& x : *list)
      need(is_contiguous(x.view) && is_wide(x.dtype()) && x.dtype() == call.in[0].dtype() &&
           same_shape(x.view, call.in[0].view));
}

void check_glu(const Call& call) { check_alike(call, 2, 1); }
void check_glu_grad(const Call& call) { check_alike(call, 3, 2); }

lensor_status run_glu(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->glu(r.context, static_cast<lensor_unary>(r.param(0)), &r.in[0], &r.in[1], &r.out[0]);
}

void glu_gradient(Backward& b) {
  const Tensor gate = b.in(0), up = b.in(1);
  const auto made = invoke(kGluGrad, {gate, up, contiguous(b.grad())}, {b.param(0)},
                           {make_tensor(gate.dtype(), gate.shape()), make_tensor(up.dtype(), up.shape())});
  b.give(0, made[0]);
  b.give(1, made[1]);
}

lensor_status run_glu_grad(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->glu_grad(r.context, static_cast<lensor_unary>(r.param(0)), &r.in[0], &r.in[1], &r.in[2],
                         &r.out[0], &r.out[1]);
}

// ---------------------------------------------------------------- rotate: x [rows, heads, width], positions
// [rows], cos and sin [positions, width / 2]; params: back instead of forth
void check_rotate(const Call& call) {
  need(call.in.size() == 4 && call.out.size() == 1 && call.params.size() == 1);
  const lensor_view &x = call.in[0].view, &at = call.in[1].view, &out = call.out[0].view;
  need(x.rank == 3 && is_wide(x.dtype) && same_shape(x, out) && x.dtype == out.dtype && x.shape[2] % 2 == 0);
  need(x.shape[2] == 0 || x.stride[2] == 1);
  need(at.rank == 1 && at.dtype == LENSOR_I64 && is_contiguous(at) && at.shape[0] == x.shape[0]);
  for (size_t i : {2, 3}) {
    const lensor_view& table = call.in[i].view;
    need(table.rank == 2 && table.dtype == LENSOR_F32 && is_contiguous(table) &&
         same_shape(table, call.in[2].view) && table.shape[1] == x.shape[2] / 2);
  }
}

lensor_status run_rotate(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  const auto* positions = static_cast<const int64_t*>(r.in[1].data);
  for (int64_t i = 0; i < r.in[1].shape[0]; i++)
    if (positions[i] < 0 || positions[i] >= r.in[2].shape[0]) return LENSOR_BAD_INDEX;
  return r.ops->rotate(r.context, &r.in[0], positions, floats_of(r.in[2]), floats_of(r.in[3]),
                       r.param(0) != 0, &r.out[0]);
}

void rotate_gradient(Backward& b) {
  Tensor g = b.grad();
  if (g.view.stride[2] != 1) g = contiguous(g);
  b.give(0, invoke(kRotate, {g, b.in(1), b.in(2), b.in(3)}, {b.param(0) != 0 ? 0.0 : 1.0}, g.dtype(),
                   g.shape()));
}

uint32_t keeps_all(const Call&) { return kInput | kInput << 1 | kInput << 2; }

} // namespace

const Op kNorm{.name = "norm",
               .check = check_norm,
               .run = run_norm,
               .gradient = norm_gradient,
               .keeps = keeps_all,
               .cheap = true};
const Op kNormGrad{.name = "normGrad", .check = check_norm_grad, .run = run_norm_grad};
const Op kGlu{.name = "glu",
              .check = check_glu,
              .run = run_glu,
              .gradient = glu_gradient,
              .keeps = keeps_all,
              .cheap = true};
const Op kGluGrad{.name = "gluGrad", .check = check_glu_grad, .run = run_glu_grad};
const Op kRotate{.name = "rotate",
                 .check = check_rotate,
                 .run = run_rotate,
                 .gradient = rotate_gradient,
                 .keeps = [](const Call&) { return kInput << 1 | kInput << 2 | kInput << 3; }};

} // namespace lensor::ops
