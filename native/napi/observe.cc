// Looking at the engine itself, across the border: what the machine can do. Meanings: lib/native.ts.
#include "../core/probe.h"
#include "env.h"

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

} // namespace

void add_observe(napi_env env, napi_value exports) { add(env, exports, "probe", entry<probe>); }

} // namespace lensor
