// Groups of weights to their grids: in w, out the new values, scales and offsets. params: bits, symmetric,
// group, reach.
#include "all.h"

namespace lensor::ops {

namespace {

void check_groups(const Call& call) {
  need(call.params.size() == 4 && call.in.size() == 1 && call.out.size() == 3);
  const auto matrix = [](const Tensor& x) {
    need(x.view.rank == 2 && x.dtype() == LENSOR_F32 && is_contiguous(x.view));
  };
  matrix(call.in[0]);
  for (const Tensor& out : call.out) matrix(out);
  const double bits = call.params[0], group = call.params[2], reach = call.params[3];
  need(bits >= 2 && bits <= 8 && group >= 16 && group <= 65536 && reach > 0 && reach <= 1);
  const lensor_view &w = call.in[0].view, &scale = call.out[1].view;
  const auto columns = static_cast<int64_t>(group);
  need(columns % 16 == 0 && w.shape[1] % columns == 0 && same_shape(w, call.out[0].view));
  need(scale.shape[0] == w.shape[0] && scale.shape[1] == w.shape[1] / columns);
  need(same_shape(scale, call.out[2].view));
}

lensor_status run_groups(const Running& r) {
  lensor_round_groups g{};
  g.w = &r.in[0];
  g.bits = static_cast<int32_t>(r.param(0)), g.symmetric = r.param(1) != 0;
  g.group = static_cast<int64_t>(r.param(2)), g.reach = static_cast<float>(r.param(3));
  g.values = &r.out[0], g.scale = &r.out[1], g.offset = &r.out[2];
  return r.ops->round_groups(r.context, &g);
}

} // namespace

const Op kRoundGroups{.name = "roundGroups", .check = check_groups, .run = run_groups};

} // namespace lensor::ops
