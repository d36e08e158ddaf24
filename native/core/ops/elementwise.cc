// Operations element by element; every tensor of a call has the result's shape (broadcasting is a view).
#include "../algebra.h"
#include "../tape.h"
#include "all.h"

namespace lensor::ops {

namespace {

int code_of(const Call& call) { return call.params.empty() ? 0 : static_cast<int>(call.params[0]); }

// ---------------------------------------------------------------- copy: another dtype, or row-major
void check_copy(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1 && same_shape(call.in[0].view, call.out[0].view));
}

lensor_status run_copy(const Running& r) {
  return count_of(r.out[0]) ? r.ops->copy(r.context, &r.in[0], &r.out[0]) : LENSOR_OK;
}

void copy_gradient(Backward& b) { b.give(0, cast(b.grad(), b.in_view(0).dtype)); }

// ---------------------------------------------------------------- unary
constexpr const char* kUnaryNames[] = {"neg", "abs",  "exp",     "log",  "sqrt", "rsqrt", "sin",
                                       "cos", "tanh", "sigmoid", "relu", "silu", "gelu",  "gelu"};

void check_unary(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1 && code_of(call) >= 0 &&
       code_of(call) < LENSOR_UNARY_COUNT);
  need(same_shape(call.in[0].view, call.out[0].view) && call.in[0].dtype() == call.out[0].dtype());
}

lensor_status run_unary(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->unary(r.context, static_cast<lensor_unary>(r.param(0)), &r.in[0], &r.out[0]);
}

// The derivative is simpler in the result.
bool in_result(int code) {
  return code == LENSOR_EXP || code == LENSOR_SQRT || code == LENSOR_RSQRT || code == LENSOR_TANH ||
         code == LENSOR_SIGMOID || code == LENSOR_RELU;
}

uint32_t unary_keeps(const Call& call) {
  if (code_of(call) == LENSOR_NEG) return 0;
  return in_result(code_of(call)) ? kResult : kInput;
}

void unary_gradient(Backward& b) {
  const int code = static_cast<int>(b.param(0));
  if (code == LENSOR_NEG) return b.give(0, neg(b.grad()));
  const Tensor known = in_result(code) ? b.out() : b.in(0);
  b.give(0, invoke(kUnaryGrad, {known, b.grad()}, {double(code)}, known.dtype(), known.shape()));
}

void check_unary_grad(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1);
  for (const Tensor& x : call.in)
    need(same_shape(x.view, call.out[0].view) && x.dtype() == call.out[0].dtype());
}

lensor_status run_unary_grad(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  const auto code = static_cast<lensor_unary>(r.param(0));
  const bool result = in_result(code);
  return r.ops->unary_grad(r.context, code, result ? nullptr : &r.in[0], result ? &r.in[0] : nullptr,
                           &r.in[1], &r.out[0]);
}

// ---------------------------------------------------------------- binary
constexpr const char* kBinaryNames[] = {"add", "sub", "mul", "div", "pow", "maximum", "minimum",
                                        "eq",  "ne",  "lt",  "le",  "gt",  "ge"};

void check_binary(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1 && code_of(call) >= 0 &&
       code_of(call) < LENSOR_BINARY_COUNT);
  const lensor_view &x = call.in[0].view, &y = call.in[1].view, &out = call.out[0].view;
  need(x.dtype == y.dtype && same_shape(x, out) && same_shape(y, out));
  need(out.dtype == (code_of(call) >= LENSOR_EQ ? int32_t(LENSOR_BOOL) : x.dtype));
}

lensor_status run_binary(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->binary(r.context, static_cast<lensor_binary>(r.param(0)), &r.in[0], &r.in[1], &r.out[0]);
}

uint32_t binary_keeps(const Call& call) {
  const uint32_t x = call.in[0].node ? kInput : 0, y = call.in[1].node ? kInput << 1 : 0;
  switch (code_of(call)) {
  case LENSOR_MUL: // each side's gradient is made of the other
    return (x ? kInput << 1 : 0) | (y ? kInput : 0);
  case LENSOR_DIV:
    return kInput << 1 | (y ? kResult : 0);
  case LENSOR_POW:
    return kInput | kInput << 1 | (y ? kResult : 0);
  case LENSOR_MAXIMUM:
  case LENSOR_MINIMUM:
    return kInput | kInput << 1;
  default:
    return 0;
  }
}

// Of equals each gets half, as in torch.
Tensor chosen(lensor_binary op, const Tensor& x, const Tensor& y, const Tensor& g) {
  const Tensor zero = full(g.dtype(), g.shape(), 0);
  return where(binary(op == LENSOR_MAXIMUM ? LENSOR_GT : LENSOR_LT, x, y), g,
               where(binary(LENSOR_EQ, x, y), scale(g, 0.5), zero));
}

// d x^y: y x^(y - 1) g, and x^y log(x) g, which is 0 where x is 0 and y is not negative.
void pow_gradient(Backward& b, const Tensor& g) {
  const Tensor x = b.in(0), y = b.in(1), zero = full(g.dtype(), g.shape(), 0);
  if (b.needs(0)) {
    const Tensor power = binary(LENSOR_POW, x, sub(y, full(g.dtype(), g.shape(), 1)));
    b.give(0, where(binary(LENSOR_EQ, y, zero), zero, mul(g, mul(y, power))));
  }
  if (b.needs(1)) {
    const Tensor still = mul(binary(LENSOR_EQ, x, zero), binary(LENSOR_GE, y, zero));
    b.give(1, mul(g, where(still, zero, mul(b.out(), unary(LENSOR_LOG, x)))));
  }
}

void binary_gradient(Backward& b) {
  const Tensor g = b.grad();
  const auto op = static_cast<lensor_binary>(b.param(0));
  switch (op) {
  case LENSOR_ADD:
    b.give(0, g);
    return b.give(1, g);
  case LENSOR_SUB:
    b.give(0, g);
    if (b.needs(1)) b.give(1, neg(g));
    return;
  case LENSOR_MUL:
    if (b.needs(0)) b.give(0, mul(g, b.in(1)));
    if (b.needs(1)) b.give(1, mul(g, b.in(0)));
    return;
  case LENSOR_DIV: {
    const Tensor part = div(g, b.in(1));
    b.give(0, part);
    if (b.needs(1)) b.give(1, neg(mul(part, b.out())));
    return;
  }
  case LENSOR_POW:
    return pow_gradient(b, g);
  case LENSOR_MAXIMUM:
  case LENSOR_MINIMUM:
    if (b.needs(0)) b.give(0, chosen(op, b.in(0), b.in(1), g));
    if (b.needs(1)) b.give(1, chosen(op, b.in(1), b.in(0), g));
    return;
  default:
    return; // comparisons are not recorded: their results are no floats
  }
}

// ---------------------------------------------------------------- where
void check_where(const Call& call) {
  need(call.in.size() == 3 && call.out.size() == 1 && call.in[0].dtype() == LENSOR_BOOL);
  for (const Tensor& x : call.in) need(same_shape(x.view, call.out[0].view));
  need(call.in[1].dtype() == call.out[0].dtype() && call.in[2].dtype() == call.out[0].dtype());
}

lensor_status run_where(const Running& r) {
  return count_of(r.out[0]) ? r.ops->where(r.context, &r.in[0], &r.in[1], &r.in[2], &r.out[0]) : LENSOR_OK;
}

void where_gradient(Backward& b) {
  const Tensor g = b.grad(), condition = b.in(0), zero = full(g.dtype(), g.shape(), 0);
  if (b.needs(1)) b.give(1, where(condition, g, zero));
  if (b.needs(2)) b.give(2, where(condition, zero, g));
}

} // namespace

const Op kCopy{.name = "copy", .check = check_copy, .run = run_copy, .gradient = copy_gradient};
const Op kUnary{.name = "unary",
                .check = check_unary,
                .run = run_unary,
                .gradient = unary_gradient,
                .keeps = unary_keeps,
                .called = [](const Call& call) { return kUnaryNames[code_of(call)]; }};
const Op kUnaryGrad{.name = "unaryGrad", .check = check_unary_grad, .run = run_unary_grad};
const Op kBinary{.name = "binary",
                 .check = check_binary,
                 .run = run_binary,
                 .gradient = binary_gradient,
                 .keeps = binary_keeps,
                 .called = [](const Call& call) { return kBinaryNames[code_of(call)]; }};
const Op kWhere{.name = "where",
                .check = check_where,
                .run = run_where,
                .gradient = where_gradient,
                .keeps = [](const Call&) { return kInput; }};

} // namespace lensor::ops
