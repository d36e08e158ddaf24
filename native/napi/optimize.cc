// Optimizers across the border. Meanings: lib/native.ts.
#include "../core/optimize.h"
#include "../core/op.h"
#include "place.h"
#include "view.h"
#include <cstring>

namespace lensor {

namespace {

// The state of a parameter before its first step: zeros.
napi_value optimizer_state(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 3);
  const auto kind = static_cast<int32_t>(a.whole(0, 0, LENSOR_OPTIMIZER_COUNT - 1));
  const int64_t count = a.whole(1, 0, int64_t{1} << 40);
  const OwnerScope state(Kind::optimizer);
  napi_value list;
  check(napi_create_array(env, &list));
  uint32_t at = 0;
  for (size_t bytes : state_bytes(kind, count, a.flag(2))) {
    auto buffer = std::make_shared<Buffer>(bytes);
    const auto run = [buffer](lensor_context*) {
      std::memset(buffer->memory.data(), 0, buffer->bytes);
      return LENSOR_OK;
    };
    enqueue({"optimizer state", {}, {buffer}, run, nullptr});
    check(napi_set_element(env, list, at++, handle(env, buffer)));
  }
  return list;
}

const Tensor& gathered(const std::shared_ptr<Place>& place) {
  if (!place->node->gradient.buffer) throw Invalid("a parameter has no gradient");
  return place->node->gradient;
}

napi_value step(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 7);
  const std::vector<double> numbers = a.doubles(1);
  need(numbers.size() == 9 && numbers[0] >= 1);
  const auto number = [&](size_t i) { return static_cast<float>(numbers[i]); };
  const OptimizerOptions options{static_cast<int32_t>(a.whole(0, 0, LENSOR_OPTIMIZER_COUNT - 1)),
                                 static_cast<int64_t>(numbers[0]),
                                 number(1),
                                 number(2),
                                 number(3),
                                 number(4),
                                 number(5),
                                 number(6),
                                 number(7),
                                 numbers[8] != 0};
  const Tensor parameter = read_tensors(a.doubles(3), {unwrap<Buffer>(env, a.at[2])}).at(0);
  const auto place = unwrap<Place>(env, a.at[4]);
  std::vector<BufferRef> state;
  for (napi_value value : a.list(5)) state.push_back(unwrap<Buffer>(env, value));
  napi_valuetype type;
  check(napi_typeof(env, a.at[6], &type));
  optimizer_step(options, parameter, gathered(place), state,
                 type == napi_undefined ? nullptr : unwrap<Buffer>(env, a.at[6]));
  return nullptr;
}

napi_value norm(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  std::vector<Tensor> gradients;
  for (napi_value value : a.list(0)) gradients.push_back(gathered(unwrap<Place>(env, value)));
  return handle(env, gradient_norm(gradients, static_cast<float>(a.number(1))));
}

} // namespace

void add_optimizers(napi_env env, napi_value exports) {
  add(env, exports, "optimizerState", entry<optimizer_state>);
  add(env, exports, "optimizerStep", entry<step>);
  add(env, exports, "gradientNorm", entry<norm>);
}

} // namespace lensor
