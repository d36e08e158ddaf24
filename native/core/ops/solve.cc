// Linear algebra of small matrices, f32, contiguous, in batches.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"

namespace lensor::ops {

namespace {

void need_matrices(const Tensor& x) {
  need(x.view.rank == 3 && x.dtype() == LENSOR_F32 && is_contiguous(x.view));
}

void need_square(const Tensor& x) {
  need_matrices(x);
  need(x.view.shape[1] == x.view.shape[2]);
}

// x where it stands on the diagonal or on the wanted side of it, else 0.
Tensor triangle(const Tensor& x, bool upper) {
  const int64_t n = x.view.shape[1];
  const Tensor row = expanded(reshaped(steps(n, 1), {1, n, 1}), x.shape()),
               column = expanded(reshaped(steps(n, 1), {1, 1, n}), x.shape());
  return where(binary(upper ? LENSOR_LE : LENSOR_GE, row, column), x, full(x.dtype(), x.shape(), 0));
}

Tensor solved(const Tensor& a, const Tensor& y, bool upper, bool transpose) {
  return invoke(kSolveTriangular, {contiguous(a), contiguous(y)}, {upper ? 1.0 : 0.0, transpose ? 1.0 : 0.0},
                y.dtype(), y.shape());
}

// ---------------------------------------------------------------- cholesky: A = L L^T
void check_cholesky(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1 && same_shape(call.in[0].view, call.out[0].view));
  need_square(call.in[0]), need_square(call.out[0]);
}

lensor_status run_cholesky(const Running& r) {
  return count_of(r.out[0]) ? r.ops->cholesky(r.context, &r.in[0], &r.out[0]) : LENSOR_OK;
}

// dA = sym(L^-T P L^-1), P = the lower half of L^T dL with its diagonal halved (Murray 2016)
void cholesky_gradient(Backward& b) {
  const Tensor l = b.out();
  const Tensor product = matmul(transposed(l), triangle(b.grad(), false));
  const Tensor both = triangle(product, false), diagonal = triangle(both, true);
  const Tensor p = sub(both, scale(diagonal, 0.5));
  const Tensor left = solved(l, p, false, true);                         // L^-T P
  const Tensor s = transposed(solved(l, transposed(left), false, true)); // (L^-T left^T)^T
  b.give(0, scale(add(s, transposed(s)), 0.5));
}

// ---------------------------------------------------------------- solveTriangular: A x = y; params: upper,
// transposed
void check_solve(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1 && call.params.size() == 2);
  need_square(call.in[0]), need_matrices(call.in[1]), need_matrices(call.out[0]);
  need(same_shape(call.in[1].view, call.out[0].view));
  need(call.in[0].view.shape[0] == call.in[1].view.shape[0] &&
       call.in[0].view.shape[1] == call.in[1].view.shape[1]);
}

lensor_status run_solve(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->solve_triangular(r.context, &r.in[0], &r.in[1], r.param(0) != 0, r.param(1) != 0, &r.out[0]);
}

// dy = A^-T g;  dA = -dy x^T on A's half (-x dy^T where A is used transposed)
void solve_gradient(Backward& b) {
  const bool upper = b.param(0) != 0, transpose = b.param(1) != 0;
  const Tensor dy = solved(b.in(0), b.grad(), upper, !transpose);
  b.give(1, dy);
  if (!b.needs(0)) return;
  const Tensor x = b.out();
  const Tensor da = transpose ? matmul(x, transposed(dy)) : matmul(dy, transposed(x));
  b.give(0, neg(triangle(da, upper)));
}

// ---------------------------------------------------------------- eigh: out: values [B, n], vectors as rows
void check_eigen(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 2);
  need_square(call.in[0]), need_square(call.out[1]);
  need(same_shape(call.in[0].view, call.out[1].view));
  const lensor_view& values = call.out[0].view;
  need(values.rank == 2 && values.dtype == LENSOR_F32 && is_contiguous(values));
  need(values.shape[0] == call.in[0].view.shape[0] && values.shape[1] == call.in[0].view.shape[1]);
}

lensor_status run_eigen(const Running& r) {
  if (!count_of(r.out[1])) return LENSOR_OK;
  return r.ops->eigen(r.context, &r.in[0], &r.out[0], &r.out[1]);
}

// ---------------------------------------------------------------- markSmallest: params: count
void check_mark(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 1 && call.params.size() == 1);
  const lensor_view &x = call.in[0].view, &out = call.out[0].view;
  need(x.rank == 2 && x.dtype == LENSOR_F32 && is_contiguous(x));
  need(same_shape(x, out) && out.dtype == LENSOR_BOOL && is_contiguous(out));
  need(call.params[0] >= 0 && call.params[0] <= static_cast<double>(x.shape[1]));
}

lensor_status run_mark(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->mark_smallest(r.context, &r.in[0], static_cast<int64_t>(r.param(0)), &r.out[0]);
}

// ---------------------------------------------------------------- sparseSweep: in: w, U; params: block,
// keep, of, sparsity
void check_sweep(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1 && call.params.size() == 4);
  for (const Tensor& x : {call.in[0], call.in[1], call.out[0]})
    need(x.view.rank == 2 && x.dtype() == LENSOR_F32 && is_contiguous(x.view));
  const int64_t cols = call.in[0].view.shape[1];
  need(same_shape(call.in[0].view, call.out[0].view));
  need(call.in[1].view.shape[0] == cols && call.in[1].view.shape[1] == cols);
  const double block = call.params[0], keep = call.params[1], of = call.params[2], sparsity = call.params[3];
  need(block >= 1 && block <= 65536 && of >= 0 && of <= 64 && keep >= 0 && keep <= of);
  need(sparsity >= 0 && sparsity <= 1);
  const auto group = static_cast<int64_t>(of);
  need(group == 0 || (static_cast<int64_t>(block) % group == 0 && cols % group == 0));
}

lensor_status run_sweep(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->sparse_sweep(r.context, &r.in[0], &r.in[1], static_cast<int64_t>(r.param(0)),
                             static_cast<int32_t>(r.param(1)), static_cast<int32_t>(r.param(2)), r.param(3),
                             &r.out[0]);
}

} // namespace

const Op kEigen{.name = "eigh", .check = check_eigen, .run = run_eigen};
const Op kMarkSmallest{.name = "markSmallest", .check = check_mark, .run = run_mark};
const Op kSparseSweep{.name = "sparseSweep", .check = check_sweep, .run = run_sweep};
const Op kCholesky{.name = "cholesky",
                   .check = check_cholesky,
                   .run = run_cholesky,
                   .gradient = cholesky_gradient,
                   .keeps = [](const Call&) { return kResult; }};
const Op kSolveTriangular{.name = "solveTriangular",
                          .check = check_solve,
                          .run = run_solve,
                          .gradient = solve_gradient,
                          .keeps = [](const Call&) { return kInput | kResult; }};

} // namespace lensor::ops
