// GPTQ's sweep as an operation: in w, U and, where they are given, scale, offset and each column's group; out
// the new values, and the scales and offsets that were found. params: bits, symmetric, group, block.
#include "../algebra.h"
#include "all.h"

namespace lensor::ops {

namespace {

void check_gptq(const Call& call) {
  const bool given = call.in.size() == 5;
  need(call.params.size() == 4 && call.out.size() == (given ? 1 : 3) && (given || call.in.size() == 2));
  const auto matrix = [](const Tensor& x) {
    need(x.view.rank == 2 && x.dtype() == LENSOR_F32 && is_contiguous(x.view));
  };
  matrix(call.in[0]), matrix(call.in[1]);
  for (const Tensor& out : call.out) matrix(out);
  const int64_t rows = call.in[0].view.shape[0], cols = call.in[0].view.shape[1];
  const lensor_view& u = call.in[1].view;
  need(u.shape[0] == cols && u.shape[1] == cols && same_shape(call.in[0].view, call.out[0].view));
  const double bits = call.params[0], group = call.params[2], block = call.params[3];
  need(bits >= 2 && bits <= 8 && group >= 1 && group <= 65536 && block >= group && block <= 65536);
  const auto columns = static_cast<int64_t>(group);
  need(cols % columns == 0 && static_cast<int64_t>(block) % columns == 0);
  const Tensor &scale = given ? call.in[2] : call.out[1], &offset = given ? call.in[3] : call.out[2];
  matrix(scale), matrix(offset);
  need(same_shape(scale.view, offset.view) && scale.view.shape[0] == rows &&
       scale.view.shape[1] == cols / columns);
  if (!given) return;
  const Tensor& index = call.in[4];
  need(index.view.rank == 1 && index.dtype() == LENSOR_I64 && is_contiguous(index.view));
  need(index.view.shape[0] == cols);
}

lensor_status run_gptq(const Running& r) {
  const bool given = r.in.size() == 5;
  lensor_gptq g{};
  g.w = &r.in[0], g.u = &r.in[1];
  g.bits = static_cast<int32_t>(r.param(0)), g.symmetric = r.param(1) != 0;
  g.group = static_cast<int64_t>(r.param(2)), g.block = static_cast<int64_t>(r.param(3));
  g.index = given ? &r.in[4] : nullptr;
  g.scale = given ? &r.in[2] : &r.out[1], g.offset = given ? &r.in[3] : &r.out[2];
  g.values = &r.out[0];
  return r.ops->gptq_sweep(r.context, &g);
}

} // namespace

const Op kGptqSweep{.name = "gptqSweep", .check = check_gptq, .run = run_gptq};

} // namespace lensor::ops
