// Looking at the engine itself, across the border: what the machine can do, who holds memory.
// Meanings: lib/native.ts.
#include "../core/probe.h"
#include "env.h"
#include <cstring>

namespace lensor {

namespace {

napi_value probe(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const std::string kind = a.text(0);
  const double seconds = a.number(1) / 1000;
  const bool memory = kind == "read";
  const int32_t dtype = kind == "f32" ? LENSOR_F32 : kind == "bf16" ? LENSOR_BF16 : LENSOR_I8;
  if (!memory && dtype == LENSOR_I8 && kind != "i8") throw Invalid("f32, bf16, i8 or read was expected");
  if (!(seconds > 0 && seconds <= 10)) throw Invalid("up to 10,000 milliseconds were expected");
  napi_value promise;
  auto settler = make_promise(env, &promise);
  auto rate = std::make_shared<double>(0);
  const auto run = [=](lensor_context* context) {
    const lensor_ops* ops = engine().ops();
    *rate = memory ? probe_memory(context, ops, seconds) : probe_compute(context, ops, dtype, seconds);
    return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
  };
  enqueue({"probe", {}, {}, run, settles(settler, [rate](napi_env env) { return make_number(env, *rate); })});
  return promise;
}

napi_value doubles(napi_env env, const std::vector<double>& values) {
  void* data;
  napi_value buffer, array;
  check(napi_create_arraybuffer(env, values.size() * sizeof(double), &data, &buffer));
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(double));
  check(napi_create_typedarray(env, napi_float64_array, values.size(), buffer, 0, &array));
  return array;
}

napi_value memory(napi_env env, napi_callback_info) {
  const MemoryUse use = memory_use();
  const auto number = [env](size_t bytes) { return make_number(env, static_cast<double>(bytes)); };
  return make_object(env, {{"live", number(use.live)},
                           {"kept", number(use.kept)},
                           {"peak", number(use.peak)},
                           {"budget", number(use.budget)}});
}

napi_value holders(napi_env env, napi_callback_info) {
  std::vector<double> values;
  for (const MemoryHolder& one : memory_holders())
    for (const double value :
         {static_cast<double>(one.owner.cell), static_cast<double>(one.owner.kind),
          static_cast<double>(one.live), static_cast<double>(one.blocks), static_cast<double>(one.peak)})
      values.push_back(value);
  return doubles(env, values);
}

napi_value timeline(napi_env env, napi_callback_info) {
  std::vector<double> values;
  for (const MemoryPoint& point : memory_timeline()) {
    values.push_back(point.age);
    values.push_back(static_cast<double>(point.live));
    for (const size_t bytes : point.kinds) values.push_back(static_cast<double>(bytes));
  }
  return doubles(env, values);
}

napi_value limit(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  memory_limit(static_cast<size_t>(a.whole(0, 0, int64_t{1} << 52)));
  return nullptr;
}

} // namespace

void add_observe(napi_env env, napi_value exports) {
  add(env, exports, "probe", entry<probe>);
  add(env, exports, "memory", entry<memory>);
  add(env, exports, "memoryHolders", entry<holders>);
  add(env, exports, "memoryTimeline", entry<timeline>);
  add(env, exports, "memoryLimit", entry<limit>);
}

} // namespace lensor
