// What Node loads: the exported functions, by topic, and what is said of the engine as a whole.
#include "../cpu/dispatch.h"
#include "env.h"

namespace lensor {

namespace {

napi_value text(napi_env env, const char* value) {
  napi_value string;
  check(napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &string));
  return string;
}

napi_value info(napi_env env, napi_callback_info) {
  napi_value isas;
  check(napi_create_array(env, &isas));
  uint32_t i = 0;
  for (const auto* table : cpu_tables()) check(napi_set_element(env, isas, i++, text(env, table->name)));
  return make_object(env, {{"abi", make_number(env, LENSOR_ABI_VERSION)},
                           {"isa", text(env, engine().ops()->name)},
                           {"isas", isas},
                           {"threads", make_number(env, engine().pool().threads())}});
}

napi_value set_interrupt_flag(napi_env env, napi_callback_info i) {
  Arguments a(env, i, 1);
  napi_typedarray_type type;
  size_t length;
  void* data;
  check(napi_get_typedarray_info(env, a.at[0], &type, &length, &data, nullptr, nullptr));
  if (type != napi_int32_array || length < 1) throw Invalid("an Int32Array was expected");
  napi_ref reference; // kept for the life of the environment
  check(napi_create_reference(env, a.at[0], 1, &reference));
  static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t));
  const auto* words = static_cast<const std::atomic<int32_t>*>(data);
  watch_flag(env, words);
  if (length > 1) watch_cell(words + 1);
  return nullptr;
}

} // namespace

} // namespace lensor

NAPI_MODULE_INIT() {
  using namespace lensor;
  try {
    engine();
    open_environment(env);
    add(env, exports, "info", entry<info>);
    add(env, exports, "setInterruptFlag", entry<set_interrupt_flag>);
    add_tensors(env, exports);
    add_tape(env, exports);
    add_optimizers(env, exports);
    add_weights(env, exports);
    add_models(env, exports);
    add_caches(env, exports);
    add_inspect(env, exports);
    add_observe(env, exports);
    add_sketches(env, exports);
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return exports;
}
