// Looking at the engine itself, across the border: what the machine can do, who holds memory, and
// what the executor did while somebody looked.
// Meanings: lib/native.ts.
#include "../core/probe.h"
#include "../core/profile.h"
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

napi_value release_probe(napi_env env, napi_callback_info) {
  napi_value promise;
  auto settler = make_promise(env, &promise);
  const auto done = [settler](const std::shared_ptr<Failure>&) {
    probe_release();
    resolve(settler, [](napi_env env) { return make_number(env, 0); });
  };
  enqueue({"probe", {}, {}, nullptr, done});
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
                           {"marked", number(use.marked)},
                           {"budget", number(use.budget)}});
}

napi_value mark(napi_env, napi_callback_info) {
  memory_mark();
  return nullptr;
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

const lensor_ops* plain = nullptr; // the kernels themselves; the executor's thread alone

// Takes effect when the queue comes to it, and whether or not the person interrupts.
napi_value begin_profile(napi_env env, napi_callback_info) {
  if (profile_wanted()) throw std::runtime_error("a profile is under way");
  want_profile(true);
  const auto done = [](const std::shared_ptr<Failure>&) {
    plain = engine().ops();
    engine().use(profile_begin(plain));
  };
  enqueue({"profile", {}, {}, nullptr, done});
  return nullptr;
}

napi_value end_profile(napi_env env, napi_callback_info) {
  if (!profile_wanted()) throw std::runtime_error("no profile is under way");
  want_profile(false);
  napi_value promise;
  auto settler = make_promise(env, &promise);
  const auto done = [settler](const std::shared_ptr<Failure>&) {
    engine().use(plain);
    resolve(settler, [profile = std::make_shared<Profile>(profile_end())](napi_env env) {
      napi_value names;
      check(napi_create_array(env, &names));
      for (uint32_t i = 0; i < profile->names.size(); i++) {
        napi_value text;
        check(napi_create_string_utf8(env, profile->names[i].data(), profile->names[i].size(), &text));
        check(napi_set_element(env, names, i, text));
      }
      std::vector<double> values;
      for (const Event& e : profile->events)
        for (const double value :
             {e.kernel ? 1.0 : 0.0, double(e.name), double(e.shape), e.begin, e.end, e.flops, e.bytes,
              double(e.compute), double(e.phase), double(e.cell), double(e.kind)})
          values.push_back(value);
      return make_object(env, {{"names", names},
                               {"events", doubles(env, values)},
                               {"dropped", make_number(env, static_cast<double>(profile->dropped))}});
    });
  };
  enqueue({"profile", {}, {}, nullptr, done});
  return promise;
}

napi_value phase(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  set_profile_phase(static_cast<int32_t>(a.whole(0, 0, INT32_MAX)));
  return nullptr;
}

} // namespace

void add_observe(napi_env env, napi_value exports) {
  add(env, exports, "probe", entry<probe>);
  add(env, exports, "releaseProbe", entry<release_probe>);
  add(env, exports, "beginProfile", entry<begin_profile>);
  add(env, exports, "endProfile", entry<end_profile>);
  add(env, exports, "profilePhase", entry<phase>);
  add(env, exports, "memory", entry<memory>);
  add(env, exports, "markMemory", entry<mark>);
  add(env, exports, "memoryHolders", entry<holders>);
  add(env, exports, "memoryTimeline", entry<timeline>);
  add(env, exports, "memoryLimit", entry<limit>);
}

} // namespace lensor
