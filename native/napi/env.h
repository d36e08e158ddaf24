// One JavaScript environment's ties to the engine: promises that the executor's thread settles, handles that
// the collector may free, and arguments checked as they are read. An argument that cannot be true throws
// Invalid, which becomes a TypeError.
#pragma once
#include "../core/engine.h"
#include "../core/tensor.h"
#include <functional>
#include <node_api.h>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lensor {

void check(napi_status status);

// ---------------------------------------------------------------- promises
class Settler; // settles a promise once, from any thread
using Value = std::function<napi_value(napi_env)>;

// Makes a promise that keeps the process alive until it is settled.
std::shared_ptr<Settler> make_promise(napi_env env, napi_value* promise);
void resolve(const std::shared_ptr<Settler>& settler, Value value);
// `reference`, where given, is no longer needed then.
void reject(const std::shared_ptr<Settler>& settler, std::string message, napi_ref reference = nullptr);
void open_environment(napi_env env);
// Runs `work`, which writes into JavaScript's memory, unless that has gone with its environment; the
// environment does not end while it runs.
lensor_status while_open(const std::shared_ptr<Settler>&, const std::function<lensor_status()>& work);
// [0] of what this environment shares: not zero while the person wants native work to stop.
void watch_flag(napi_env env, const std::atomic<int32_t>* flag);

// A task whose end settles a promise. Marks a failure as told.
std::function<void(const std::shared_ptr<Failure>&)> settles(std::shared_ptr<Settler> settler, Value value);

// ---------------------------------------------------------------- arguments
struct Arguments {
  Arguments(napi_env env, napi_callback_info info, size_t count);
  napi_env env;
  napi_value at[10];

  double number(size_t i) const;
  int64_t whole(size_t i, int64_t least, int64_t most) const;
  bool flag(size_t i) const;
  std::string text(size_t i) const;
  std::vector<double> doubles(size_t i) const;   // a Float64Array
  std::vector<int32_t> integers(size_t i) const; // an Int32Array
  std::vector<int64_t> numbers(size_t i) const;  // an array of whole numbers
  std::vector<napi_value> list(size_t i) const;  // any array
};

std::vector<napi_value> items_of(napi_env env, napi_value list); // any array
bool is_nothing(napi_env env, napi_value value);                 // undefined or null
napi_value property(napi_env env, napi_value object, const char* name);
double number_of(napi_env env, napi_value value);
int64_t whole_of(napi_env env, napi_value value, int64_t least, int64_t most);
std::string text_of(napi_env env, napi_value value);
std::vector<int32_t> integers_of(napi_env env, napi_value value);
std::vector<float> floats_of(napi_env env, napi_value value); // a Float32Array

napi_value make_number(napi_env env, double value);
// Memory that JavaScript owns. Too much is an error; Node-API's own function would end the process.
napi_value make_array_buffer(napi_env env, double bytes, void** data);
napi_value make_list(napi_env env, std::initializer_list<napi_value> values);
napi_value make_object(napi_env env, std::initializer_list<std::pair<const char*, napi_value>> properties);

// ---------------------------------------------------------------- handles
// An object that owns a T until it is released or collected; V8 is told of its bytes.
template <typename T> struct Handle {
  std::shared_ptr<T> value;
  int64_t bytes = 0;
};

struct Model;
class Cache;
class Sketches;
// A place on the tape: one result of one node.
struct Place {
  std::shared_ptr<Node> node;
  int32_t slot;
};
template <typename T> const napi_type_tag& tag_of();
template <> const napi_type_tag& tag_of<Buffer>();
template <> const napi_type_tag& tag_of<Model>();
template <> const napi_type_tag& tag_of<Cache>();
template <> const napi_type_tag& tag_of<Place>();
template <> const napi_type_tag& tag_of<Sketches>();

// What is held and soon let go, as within a scope, is none of V8's business: it marks its whole heap when it
// hears of some tens of MB, and there is nothing to find.
constexpr int64_t kUntold = 64 << 20;

inline napi_status tell_change(node_api_basic_env env, int64_t bytes) {
  thread_local int64_t untold = 0;
  untold += bytes;
  if (-kUntold < untold && untold < kUntold) return napi_ok;
  int64_t total;
  return napi_adjust_external_memory(env, std::exchange(untold, 0), &total);
}

template <typename T> void let_go(node_api_basic_env env, Handle<T>* handle) {
  if (!handle->value) return;
  handle->value.reset();
  tell_change(env, -handle->bytes);
}

// V8 is told that a handle's object holds as much now.
template <typename T> void tell(napi_env env, Handle<T>* handle, size_t bytes) {
  const auto now = static_cast<int64_t>(bytes);
  check(tell_change(env, now - handle->bytes));
  handle->bytes = now;
}

template <typename T> napi_value wrap(napi_env env, std::shared_ptr<T> value, int64_t bytes) {
  napi_value object;
  check(napi_create_object(env, &object));
  auto* handle = new Handle<T>{std::move(value), bytes};
  const napi_status status = napi_wrap(
      env, object, handle, reinterpret_cast<napi_finalize>(+[](node_api_basic_env env, void* data, void*) {
        auto* handle = static_cast<Handle<T>*>(data);
        let_go(env, handle);
        delete handle;
      }),
      nullptr, nullptr);
  if (status != napi_ok) delete handle;
  check(status);
  check(napi_type_tag_object(env, object, &tag_of<T>()));
  if (!bytes) return object;
  check(tell_change(env, bytes));
  check(napi_set_named_property(env, object, "bytes", make_number(env, static_cast<double>(bytes))));
  return object;
}

template <typename T> Handle<T>* handle_of(napi_env env, napi_value object) {
  bool same = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, object, &tag_of<T>(), &same) != napi_ok || !same ||
      napi_unwrap(env, object, &data) != napi_ok)
    throw Invalid("a handle of another kind was given");
  return static_cast<Handle<T>*>(data);
}

template <typename T> std::shared_ptr<T> unwrap(napi_env env, napi_value object) {
  auto* handle = handle_of<T>(env, object);
  if (!handle->value) throw Invalid("it was freed before");
  return handle->value;
}

// ---------------------------------------------------------------- registration
using Function = napi_value (*)(napi_env, napi_callback_info);
// Runs a function and turns what it throws into a JavaScript error.
napi_value guarded(napi_env env, napi_callback_info info, Function function);
template <Function function> napi_value entry(napi_env env, napi_callback_info info) {
  return guarded(env, info, function);
}
void add(napi_env env, napi_value exports, const char* name, napi_callback function);

void add_tensors(napi_env env, napi_value exports);
void add_tape(napi_env env, napi_value exports);
void add_optimizers(napi_env env, napi_value exports);
void add_weights(napi_env env, napi_value exports);
void add_models(napi_env env, napi_value exports);
void add_caches(napi_env env, napi_value exports);
void add_inspect(napi_env env, napi_value exports);
void add_observe(napi_env env, napi_value exports);
void add_sketches(napi_env env, napi_value exports);

} // namespace lensor
