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

} // namespace

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
