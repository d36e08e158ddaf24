// Mixture of experts: which rows go to which expert, products of each expert's rows with its own matrix, and
// their results brought together. Rows of one expert stand together; how many there are is known only once
// the router has run, so `offsets` is a tensor, i64 [experts + 1]. Rows after the last offset were dropped:
// their products are zeros.
#include "../../quant/panel.h"
#include "../algebra.h"
#include "../tape.h"
#include "all.h"
#include "product.h"
#include <cstring>

namespace lensor::ops {

namespace {

void need_indices(const lensor_view& x, int64_t count) {
  need(x.rank == 1 && x.dtype == LENSOR_I64 && x.shape[0] == count && is_contiguous(x));
}

void need_rows(const lensor_view& x) { need(x.rank == 2 && is_floating(x.dtype) && is_contiguous(x)); }

const int64_t* whole(const lensor_view& x) { return static_cast<const int64_t*>(x.data); }

// ---------------------------------------------------------------- route: choices, k a token, put in order of
// their experts; params: k, capacity of an expert (0: none). Out: of each row which choice it is, and its
// token, and offsets.
void check_route(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 3 && call.params.size() == 2);
  const int64_t R = call.in[0].view.shape[0];
  need_indices(call.in[0].view, R);
  need_indices(call.out[0].view, R), need_indices(call.out[1].view, R);
  need(call.out[2].view.rank == 1 && call.out[2].view.shape[0] >= 2 && call.params[0] >= 1);
  need_indices(call.out[2].view, call.out[2].view.shape[0]);
}

// In the order of the choices: where an expert is full, those that come later are dropped.
lensor_status run_route(const Running& r) {
  const int64_t R = r.in[0].shape[0], E = r.out[2].shape[0] - 1, k = static_cast<int64_t>(r.param(0)),
                capacity = static_cast<int64_t>(r.param(1));
  const int64_t* choice = whole(r.in[0]);
  auto *order = static_cast<int64_t*>(r.out[0].data), *tokens = static_cast<int64_t*>(r.out[1].data),
       *offsets = static_cast<int64_t*>(r.out[2].data);
  std::vector<int64_t> count(E), next(E + 1);
  for (int64_t i = 0; i < R; i++) {
    if (choice[i] < 0 || choice[i] >= E) return LENSOR_BAD_INDEX;
    if (!capacity || count[choice[i]] < capacity) count[choice[i]]++;
  }
  offsets[0] = 0;
  for (int64_t e = 0; e < E; e++) offsets[e + 1] = offsets[e] + count[e];
  std::copy(offsets, offsets + E + 1, next.begin());
  for (int64_t i = 0; i < R; i++) {
    int64_t& mine = next[choice[i]];
    const int64_t at = mine < offsets[choice[i] + 1] ? mine++ : next[E]++;
    order[at] = i;
    tokens[at] = i / k;
  }
  return LENSOR_OK;
}

// ---------------------------------------------------------------- dispatch: rows of tokens, x[tokens]; its
// gradient adds a token's rows up in f32
void check_dispatch(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1);
  const lensor_view &x = call.in[0].view, &out = call.out[0].view;
  need_rows(x), need_rows(out), need_indices(call.in[1].view, out.shape[0]);
  need(x.dtype == out.dtype && x.shape[1] == out.shape[1]);
}

lensor_status run_dispatch(const Running& r) {
  return count_of(r.out[0]) ? r.ops->gather(r.context, &r.in[0], &r.in[1], &r.out[0]) : LENSOR_OK;
}

void dispatch_gradient(Backward& b) {
  const lensor_view& x = b.in_view(0);
  const Tensor g = contiguous(b.grad()), so_far = b.so_far(0);
  if (so_far.buffer)
    invoke(kCombine, {g, b.in(1), so_far}, {0, 1}, {so_far});
  else
    b.give(0, invoke(kCombine, {g, b.in(1)}, {0, 0}, x.dtype, {x.shape[0], x.shape[1]}));
}

// ---------------------------------------------------------------- combine: rows, tokens, gates where they
// are, what is added where it is; params: whether each is there
void check_combine(const Call& call) {
  need(call.params.size() == 2 && call.out.size() == 1);
  const bool gated = call.params[0] != 0, adds = call.params[1] != 0;
  need(call.in.size() == 2u + gated + adds);
  const lensor_view &rows = call.in[0].view, &out = call.out[0].view;
  need_rows(rows), need_rows(out), need_indices(call.in[1].view, rows.shape[0]);
  need(rows.shape[1] == out.shape[1]);
  if (gated) {
    const lensor_view& gates = call.in[2].view;
    need(gates.rank == 1 && gates.dtype == LENSOR_F32 && gates.shape[0] == rows.shape[0] &&
         is_contiguous(gates));
  }
  if (adds) need_addend(call.in[2 + gated].view, out);
}

lensor_combine combined(const Running& r, bool gated) {
  lensor_combine c{};
  c.rows = &r.in[0], c.tokens = whole(r.in[1]);
  c.gates = gated ? static_cast<const float*>(r.in[2].data) : nullptr;
  return c;
}

lensor_status run_combine(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  const bool gated = r.param(0) != 0;
  lensor_combine c = combined(r, gated);
  c.addend = r.param(1) != 0 ? r.in[2 + gated].data : nullptr;
  c.out = &r.out[0];
  return r.ops->combine(r.context, &c);
}

void combine_gradient(Backward& b) {
  const bool gated = b.param(0) != 0, adds = b.param(1) != 0;
  const lensor_view& rows = b.in_view(0);
  const Tensor g = contiguous(b.grad());
  if (adds) b.give(2 + gated, g);
  if (!gated) {
    if (b.needs(0)) b.give(0, invoke(kDispatch, {g, b.in(1)}, {}, g.dtype(), {rows.shape[0], rows.shape[1]}));
    return;
  }
  const auto both = invoke(
      kCombineGrad, {b.in(0), b.in(1), b.in(2), g}, {},
      {make_tensor(rows.dtype, {rows.shape[0], rows.shape[1]}), make_tensor(LENSOR_F32, {rows.shape[0]})});
  b.give(0, both[0]);
  b.give(2, both[1]);
}

// In: rows, tokens, gates, dy. Out: drows, dgates.
void check_combine_grad(const Call& call) {
  need(call.in.size() == 4 && call.out.size() == 2);
  const lensor_view &rows = call.in[0].view, &gates = call.in[2].view, &dy = call.in[3].view;
  const int64_t R = rows.shape[0];
  need_rows(rows), need_rows(dy), need_indices(call.in[1].view, R), need_rows(call.out[0].view);
  need(rows.shape[1] == dy.shape[1] && same_shape(rows, call.out[0].view));
  for (const lensor_view* x : {&gates, &call.out[1].view})
    need(x->rank == 1 && x->dtype == LENSOR_F32 && x->shape[0] == R && is_contiguous(*x));
}

lensor_status run_combine_grad(const Running& r) {
  if (!count_of(r.out[1])) return LENSOR_OK;
  lensor_combine c = combined(r, true);
  c.out = &r.in[3];
  return r.ops->combine_grad(r.context, &c, &r.in[3], &r.out[0], static_cast<float*>(r.out[1].data));
}

// ---------------------------------------------------------------- each expert's part of a product
bool are_offsets(const lensor_view& offsets, int64_t rows) {
  const int64_t* at = whole(offsets);
  if (at[0] != 0 || at[offsets.shape[0] - 1] > rows) return false;
  for (int64_t e = 1; e < offsets.shape[0]; e++)
    if (at[e] < at[e - 1]) return false;
  return true;
}

// Rows [from, to) of a matrix as a batch of one.
lensor_view rows_of(const lensor_view& x, int64_t from, int64_t to) {
  lensor_view part = batched(x);
  part.data = static_cast<char*>(x.data) + from * x.stride[0] * static_cast<int64_t>(dtype_bytes(x.dtype));
  part.shape[1] = to - from;
  return part;
}

// One matrix of a stack.
lensor_view matrix_of(const lensor_view& x, int64_t e) {
  lensor_view part = x;
  part.data = static_cast<char*>(x.data) + e * x.stride[0] * static_cast<int64_t>(dtype_bytes(x.dtype));
  part.shape[0] = 1;
  return part;
}

// The products of all experts, and what they point at.
struct Parts {
  std::vector<lensor_view> a, w, out;
  std::vector<lensor_weight> weights;
  std::vector<lensor_gemm> jobs;

  explicit Parts(size_t experts) {
    a.reserve(experts), w.reserve(experts), out.reserve(experts), weights.reserve(experts);
  }
  lensor_gemm& add(const lensor_view& from, const lensor_view& to, double compute) {
    a.push_back(from), out.push_back(to);
    jobs.push_back(plain_gemm(a.back(), out.back(), compute));
    return jobs.back();
  }
  lensor_status run(const Running& r) const {
    return r.ops->gemms(r.context, jobs.data(), static_cast<int64_t>(jobs.size()));
  }
};

void clear_from(const lensor_view& out, int64_t row) {
  const size_t bytes = static_cast<size_t>(out.shape[1]) * dtype_bytes(out.dtype);
  std::memset(static_cast<char*>(out.data) + row * bytes, 0, (out.shape[0] - row) * bytes);
}

// ---------------------------------------------------------------- grouped: x [M, K] with w [experts, K, N],
// any strides, and offsets; params: compute dtype
void check_grouped(const Call& call) {
  need(call.in.size() == 3 && call.out.size() == 1);
  const lensor_view &x = call.in[0].view, &w = call.in[1].view, &out = call.out[0].view;
  need_rows(x), need_rows(out);
  need(w.rank == 3 && is_floating(w.dtype) && x.shape[0] == out.shape[0] && x.shape[1] == w.shape[1] &&
       out.shape[1] == w.shape[2] && w.shape[0] >= 1);
  need_indices(call.in[2].view, w.shape[0] + 1);
}

lensor_status run_grouped(const Running& r) {
  const lensor_view &x = r.in[0], &w = r.in[1], &out = r.out[0];
  if (!count_of(out)) return LENSOR_OK;
  if (!are_offsets(r.in[2], x.shape[0])) return LENSOR_BAD_INDEX;
  const int64_t experts = w.shape[0], *at = whole(r.in[2]);
  Parts parts(experts);
  for (int64_t e = 0; e < experts; e++) {
    if (at[e] == at[e + 1]) continue;
    lensor_gemm& job = parts.add(rows_of(x, at[e], at[e + 1]), rows_of(out, at[e], at[e + 1]), r.param(0));
    parts.w.push_back(matrix_of(w, e));
    job.w = &parts.w.back();
  }
  clear_from(out, at[experts]);
  return parts.run(r);
}

void grouped_gradient(Backward& b) {
  const lensor_view &x = b.in_view(0), &w = b.in_view(1);
  const Tensor g = contiguous(b.grad());
  if (b.needs(0))
    b.give(0, invoke(kGrouped, {g, transposed(b.in(1)), b.in(2)}, {b.param(0)}, x.dtype,
                     {x.shape[0], x.shape[1]}));
  if (!b.needs(1)) return;
  // A stack [experts, N, K] that is used turned gets its gradient as it lies.
  const bool turned = w.stride[2] != 1 && w.stride[1] == 1;
  const auto outer = [&](const Tensor& left, const Tensor& right) {
    return invoke(kGroupedOuter, {left, right, b.in(2)}, {b.param(0)}, w.dtype,
                  {w.shape[0], left.view.shape[1], right.view.shape[1]});
  };
  b.give(1, turned ? transposed(outer(g, b.in(0))) : outer(b.in(0), g));
}

// ---------------------------------------------------------------- groupedOuter: of each expert x^T y,
// [M, P] and [M, Q] to [experts, P, Q]; params: compute dtype
void check_grouped_outer(const Call& call) {
  need(call.in.size() == 3 && call.out.size() == 1);
  const lensor_view &x = call.in[0].view, &y = call.in[1].view, &out = call.out[0].view;
  need_rows(x), need_rows(y);
  need(out.rank == 3 && is_floating(out.dtype) && is_contiguous(out) && x.shape[0] == y.shape[0] &&
       out.shape[1] == x.shape[1] && out.shape[2] == y.shape[1]);
  need_indices(call.in[2].view, out.shape[0] + 1);
}

lensor_status run_grouped_outer(const Running& r) {
  const lensor_view &x = r.in[0], &y = r.in[1], &out = r.out[0];
  if (!count_of(out)) return LENSOR_OK;
  if (!are_offsets(r.in[2], x.shape[0])) return LENSOR_BAD_INDEX;
  const int64_t experts = out.shape[0], *at = whole(r.in[2]);
  Parts parts(experts);
  for (int64_t e = 0; e < experts; e++) {
    lensor_gemm& job = parts.add(turned(rows_of(x, at[e], at[e + 1])), matrix_of(out, e), r.param(0));
    parts.w.push_back(rows_of(y, at[e], at[e + 1]));
    job.w = &parts.w.back();
  }
  return parts.run(r);
}

// ---------------------------------------------------------------- groupedFrozen: x [M, K] and offsets with a
// frozen weight of [N, K] for each expert, one after the other, or one for all; params: compute dtype,
// whether it is used as it lies ([M, N] -> [M, K]), experts
void check_grouped_frozen(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1 && call.weight && call.params.size() == 3);
  const lensor_view &x = call.in[0].view, &out = call.out[0].view;
  need_rows(x), need_rows(out);
  const bool flipped = call.params[1] != 0;
  const auto experts = static_cast<int64_t>(call.params[2]);
  const int64_t N = flipped ? x.shape[1] : out.shape[1], K = flipped ? out.shape[1] : x.shape[1];
  need(experts >= 1 && experts <= 4096 && x.shape[0] == out.shape[0] && call.weight->cols == K);
  need(call.weight->rows == N || (call.weight->rows == experts * N && N % LENSOR_PANEL == 0));
  need_indices(call.in[1].view, experts + 1);
}

lensor_status run_grouped_frozen(const Running& r) {
  const lensor_view &x = r.in[0], &out = r.out[0];
  if (!count_of(out)) return LENSOR_OK;
  if (!are_offsets(r.in[1], x.shape[0])) return LENSOR_BAD_INDEX;
  const bool flipped = r.param(1) != 0;
  const int64_t experts = r.in[1].shape[0] - 1, N = flipped ? x.shape[1] : out.shape[1], *at = whole(r.in[1]);
  Parts parts(experts);
  for (int64_t e = 0; e < experts; e++) {
    if (at[e] == at[e + 1]) continue;
    lensor_gemm& job = parts.add(rows_of(x, at[e], at[e + 1]), rows_of(out, at[e], at[e + 1]), r.param(0));
    parts.weights.push_back(part_of(*r.weight, e, N));
    job.weight = &parts.weights.back();
    job.flipped = flipped;
  }
  clear_from(out, at[experts]);
  return parts.run(r);
}

void grouped_frozen_gradient(Backward& b) {
  const lensor_view& x = b.in_view(0);
  if (!b.needs(0)) return;
  Call call{&kGroupedFrozen,
            {contiguous(b.grad()), b.in(1)},
            {make_tensor(x.dtype, {x.shape[0], x.shape[1]})},
            {b.param(0), b.param(1) != 0 ? 0.0 : 1.0, b.param(2)},
            b.node().held,
            b.node().weight};
  call.op->check(call);
  enqueue_call(call);
  b.give(0, call.out[0]);
}

} // namespace

const Op kRoute{.name = "route", .check = check_route, .run = run_route};
const Op kDispatch{.name = "dispatch",
                   .check = check_dispatch,
                   .run = run_dispatch,
                   .gradient = dispatch_gradient,
                   .keeps = [](const Call&) { return kInput << 1; }};
const Op kCombine{.name = "combine",
                  .check = check_combine,
                  .run = run_combine,
                  .gradient = combine_gradient,
                  .keeps = [](const Call& call) {
                    return call.params[0] != 0 ? kInput << 0 | kInput << 1 | kInput << 2 : kInput << 1;
                  }};
const Op kCombineGrad{.name = "combineGrad", .check = check_combine_grad, .run = run_combine_grad};
const Op kGrouped{.name = "grouped",
                  .check = check_grouped,
                  .run = run_grouped,
                  .gradient = grouped_gradient,
                  .keeps = [](const Call& call) {
                    return kInput << 2 | (call.in[0].node ? kInput << 1 : 0) | (call.in[1].node ? kInput : 0);
                  }};
const Op kGroupedOuter{.name = "groupedOuter", .check = check_grouped_outer, .run = run_grouped_outer};
const Op kGroupedFrozen{.name = "groupedFrozen",
                        .check = check_grouped_frozen,
                        .run = run_grouped_frozen,
                        .gradient = grouped_frozen_gradient,
                        .keeps = [](const Call&) { return kInput << 1; }};

} // namespace lensor::ops
