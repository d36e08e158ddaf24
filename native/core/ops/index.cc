// By index: rows of a tensor chosen, added up, the largest, in order. Indices are i64 and contiguous.
#include "../algebra.h"
#include "../tape.h"
#include "all.h"

namespace lensor::ops {

namespace {

// ---------------------------------------------------------------- gather: out[i, ...] = x[index[i], ...]
void check_rows(const lensor_view& rows, const lensor_view& index, const lensor_view& all) {
  need(all.rank >= 1 && is_contiguous(all) && is_contiguous(rows) && rows.rank == all.rank &&
       rows.dtype == all.dtype);
  need(index.rank == 1 && index.dtype == LENSOR_I64 && is_contiguous(index) &&
       index.shape[0] == rows.shape[0]);
  for (int32_t d = 1; d < all.rank; d++) need(rows.shape[d] == all.shape[d]);
}

void check_gather(const Call& call) {
  need(call.in.size() == 2 && call.out.size() == 1);
  check_rows(call.out[0].view, call.in[1].view, call.in[0].view);
}

lensor_status run_gather(const Running& r) {
  return count_of(r.out[0]) ? r.ops->gather(r.context, &r.in[0], &r.in[1], &r.out[0]) : LENSOR_OK;
}

Tensor added_at(const Tensor& start, const Tensor& rows, const Tensor& index) {
  return invoke(kScatterAdd, {start, contiguous(rows), index}, {}, start.dtype(), start.shape());
}

void gather_gradient(Backward& b) {
  const lensor_view& x = b.in_view(0);
  const Tensor so_far = b.so_far(0);
  if (so_far.buffer) {
    invoke(kScatterAdd, {so_far, contiguous(b.grad()), b.in(1)}, {}, {so_far});
    return;
  }
  b.give(0, added_at(full(x.dtype, {x.shape, x.shape + x.rank}, 0), b.grad(), b.in(1)));
}

// ---------------------------------------------------------------- scatterAdd: out = start; out[index[i],
// ...] += x[i, ...]
void check_scatter_add(const Call& call) {
  need(call.in.size() == 3 && call.out.size() == 1 && same_shape(call.in[0].view, call.out[0].view) &&
       call.in[0].dtype() == call.out[0].dtype());
  check_rows(call.in[1].view, call.in[2].view, call.out[0].view);
}

lensor_status run_scatter_add(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  if (r.in[0].data != r.out[0].data)
    if (const auto status = r.ops->copy(r.context, &r.in[0], &r.out[0])) return status;
  return count_of(r.in[1]) ? r.ops->scatter_add(r.context, &r.in[1], &r.in[2], &r.out[0]) : LENSOR_OK;
}

void scatter_add_gradient(Backward& b) {
  const Tensor g = b.grad();
  b.give(0, g);
  const lensor_view& x = b.in_view(1);
  if (b.needs(1))
    b.give(1, invoke(kGather, {contiguous(g), b.in(2)}, {}, x.dtype, {x.shape, x.shape + x.rank}));
}

// ---------------------------------------------------------------- topK, sort: of [rows, n], values and where
// they stood
void check_chosen(const Call& call) {
  need(call.in.size() == 1 && call.out.size() == 2);
  const lensor_view &x = call.in[0].view, &values = call.out[0].view, &indices = call.out[1].view;
  need(x.rank == 2 && is_contiguous(x) && values.rank == 2 && same_shape(values, indices) &&
       values.dtype == x.dtype && indices.dtype == LENSOR_I64);
  need(values.shape[0] == x.shape[0] && values.shape[1] <= x.shape[1]);
}

void check_sort(const Call& call) {
  check_chosen(call);
  need(call.out[0].view.shape[1] == call.in[0].view.shape[1]);
}

lensor_status run_top_k(const Running& r) {
  return count_of(r.out[0]) ? r.ops->top_k(r.context, &r.in[0], &r.out[0], &r.out[1]) : LENSOR_OK;
}

lensor_status run_sort(const Running& r) {
  if (!count_of(r.out[0])) return LENSOR_OK;
  return r.ops->sort(r.context, &r.in[0], &r.out[0], &r.out[1], r.param(0) != 0);
}

// Each value's gradient goes back to where it stood.
void chosen_gradient(Backward& b) {
  const int64_t rows = b.in_view(0).shape[0], n = b.in_view(0).shape[1], k = b.out_view().shape[1];
  if (!b.has_grad(0)) return;
  const Tensor first = expanded(reshaped(steps(rows, n), {rows, 1}), {rows, k});
  const Tensor places = reshaped(add(b.out(1), first), {rows * k});
  const Tensor flat =
      added_at(full(b.in_view(0).dtype, {rows * n}, 0), reshaped(b.grad(), {rows * k}), places);
  b.give(0, reshaped(flat, {rows, n}));
}

uint32_t keeps_places(const Call&) { return kResult << 1; }

} // namespace

const Op kGather{.name = "gather",
                 .check = check_gather,
                 .run = run_gather,
                 .gradient = gather_gradient,
                 .keeps = [](const Call&) { return kInput << 1; }};
const Op kScatterAdd{.name = "scatterAdd",
                     .check = check_scatter_add,
                     .run = run_scatter_add,
                     .gradient = scatter_add_gradient,
                     .keeps = [](const Call&) { return kInput << 2; }};
const Op kTopK{.name = "topK",
               .check = check_chosen,
               .run = run_top_k,
               .gradient = chosen_gradient,
               .keeps = keeps_places};
const Op kSort{
    .name = "sort", .check = check_sort, .run = run_sort, .gradient = chosen_gradient, .keeps = keeps_places};

} // namespace lensor::ops
