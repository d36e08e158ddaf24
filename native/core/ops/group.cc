// Codes and what their groups share, as the rows that a grouped weight is stored in (quant/grouped.h).
// In: codes f32 [rows, groups, group], whole numbers from 0 to 2^bits - 1; scale f16 [rows, groups, 1]; where
// the type has one, minimum f16 of the same shape. Out: u8 [bytes]. Params: the type.
#include "../../quant/grouped.h"
#include "../../quant/panel.h"
#include "all.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace lensor::ops {

namespace {

int32_t type_of(const std::vector<double>& params) { return static_cast<int32_t>(params[0]); }

void check_groups(const Call& call) {
  need(call.params.size() == 1 && call.params[0] >= 0 && call.params[0] < 512);
  const int32_t dtype = type_of(call.params);
  need(is_grouped(dtype) && is_weight(dtype) && call.in.size() == (has_minimum(dtype) ? 3u : 2u) &&
       call.out.size() == 1);
  const lensor_view &codes = call.in[0].view, &out = call.out[0].view;
  need(codes.rank == 3 && codes.dtype == LENSOR_F32 && is_contiguous(codes));
  need(codes.shape[2] == group_cols(dtype));
  for (size_t i = 1; i < call.in.size(); i++) {
    const lensor_view& shared = call.in[i].view;
    need(shared.dtype == LENSOR_F16 && is_contiguous(shared) &&
         count_of(shared) == codes.shape[0] * codes.shape[1]);
  }
  need(out.rank == 1 && out.dtype == LENSOR_U8 && is_contiguous(out) &&
       out.shape[0] == codes.shape[0] * codes.shape[1] * row_block_bytes(dtype));
}

struct Job {
  const Running* r;
  int32_t dtype;
};

void put_groups(void* arg, int64_t begin, int64_t end, int32_t) {
  const auto [r, dtype] = *static_cast<const Job*>(arg);
  const int bits = grouped_bits(dtype), group = group_cols(dtype);
  const float most = static_cast<float>((1 << bits) - 1);
  for (int64_t g = begin; g < end; g++) {
    uint8_t* to = static_cast<uint8_t*>(r->out[0].data) + g * row_block_bytes(dtype);
    for (size_t i = 1; i < r->in.size(); i++, to += 2)
      std::memcpy(to, static_cast<const uint16_t*>(r->in[i].data) + g, 2);
    const float* from = static_cast<const float*>(r->in[0].data) + g * group;
    for (int k = 0; k < group; k += LENSOR_BLOCK, from += LENSOR_BLOCK, to += 4 * bits) {
      uint8_t codes[LENSOR_BLOCK];
      // What is no number becomes 0.
      for (int i = 0; i < LENSOR_BLOCK; i++)
        codes[i] = static_cast<uint8_t>(std::fmin(std::fmax(from[i], 0.0f), most));
      write_codes(codes, bits, to);
    }
  }
}

lensor_status run_groups(const Running& r) {
  const Job job{&r, type_of(r.params)};
  r.context->parallel(r.context, r.in[0].shape[0] * r.in[0].shape[1], 256, put_groups,
                      const_cast<Job*>(&job));
  return r.context->interrupted(r.context) ? LENSOR_INTERRUPTED : LENSOR_OK;
}

} // namespace

const Op kGroupRows{.name = "groupRows", .check = check_groups, .run = run_groups};

} // namespace lensor::ops
