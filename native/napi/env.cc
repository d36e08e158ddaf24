#include "env.h"
#include <cmath>
#include <cstring>
#include <mutex>

namespace lensor {

void check(napi_status status) {
  if (status != napi_ok) throw Invalid("an argument has the wrong type");
}

#define LENSOR_TAG(type, number)                                                                             \
  template <> const napi_type_tag& tag_of<type>() {                                                          \
    static const napi_type_tag tag{0x6c656e736f720000, number};                                              \
    return tag;                                                                                              \
  }
LENSOR_TAG(Buffer, 1)
LENSOR_TAG(Model, 2)
LENSOR_TAG(Cache, 3)
LENSOR_TAG(Place, 4)
LENSOR_TAG(Sketches, 5)

// ---------------------------------------------------------------- promises
namespace {

// Outlives its environment: the executor may still hold it when the environment is gone.
struct Environment {
  std::mutex mutex;
  napi_threadsafe_function queue = nullptr;   // null once the environment ends
  const std::atomic<int32_t>* flag = nullptr; // that the engine watches for it
  int waiting = 0;
};

using Job = std::function<void(napi_env)>;

std::shared_ptr<Environment>* environment_of(napi_env env) {
  void* data = nullptr;
  check(napi_get_instance_data(env, &data));
  return static_cast<std::shared_ptr<Environment>*>(data);
}

void post(const std::shared_ptr<Environment>& environment, Job job) {
  std::lock_guard lock(environment->mutex);
  if (!environment->queue) return;
  auto* heap = new Job(std::move(job));
  if (napi_call_threadsafe_function(environment->queue, heap, napi_tsfn_blocking) != napi_ok) delete heap;
}

} // namespace

class Settler {
public:
  std::shared_ptr<Environment> environment;
  napi_deferred deferred = nullptr;

  void settle(std::function<void(napi_env, napi_deferred)> how) {
    post(environment, [environment = environment, deferred = deferred, how = std::move(how)](napi_env env) {
      napi_handle_scope scope;
      napi_open_handle_scope(env, &scope);
      how(env, deferred);
      napi_close_handle_scope(env, scope);
      if (--environment->waiting == 0) napi_unref_threadsafe_function(env, environment->queue);
    });
  }
};

void open_environment(napi_env env) {
  auto* held = new std::shared_ptr<Environment>(std::make_shared<Environment>());
  napi_value name;
  check(napi_create_string_utf8(env, "lensor", NAPI_AUTO_LENGTH, &name));
  check(napi_create_threadsafe_function(
      env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
      [](napi_env env, napi_value, void*, void* data) {
        auto* job = static_cast<Job*>(data);
        if (env) (*job)(env);
        delete job;
      },
      &(*held)->queue));
  check(napi_unref_threadsafe_function(env, (*held)->queue));
  check(napi_set_instance_data(
      env, held, [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Environment>*>(data); },
      nullptr));
  check(napi_add_env_cleanup_hook(
      env,
      [](void* data) {
        auto environment = *static_cast<std::shared_ptr<Environment>*>(data);
        std::lock_guard lock(environment->mutex);
        if (environment->flag) engine().pool().unwatch(environment->flag);
        napi_release_threadsafe_function(environment->queue, napi_tsfn_abort);
        environment->queue = nullptr;
      },
      held));
}

void watch_flag(napi_env env, const std::atomic<int32_t>* flag) {
  const auto environment = *environment_of(env);
  std::lock_guard lock(environment->mutex);
  environment->flag = flag;
  engine().pool().watch(flag);
}

lensor_status while_open(const std::shared_ptr<Settler>& settler,
                         const std::function<lensor_status()>& work) {
  std::lock_guard lock(settler->environment->mutex);
  return settler->environment->queue ? work() : LENSOR_INTERRUPTED;
}

std::shared_ptr<Settler> make_promise(napi_env env, napi_value* promise) {
  auto settler = std::make_shared<Settler>();
  settler->environment = *environment_of(env);
  check(napi_create_promise(env, &settler->deferred, promise));
  if (settler->environment->waiting++ == 0)
    check(napi_ref_threadsafe_function(env, settler->environment->queue));
  return settler;
}

static void reject_now(napi_env env, napi_deferred deferred, const std::string& message) {
  napi_value text, error;
  napi_create_string_utf8(env, message.data(), message.size(), &text);
  napi_create_error(env, nullptr, text, &error);
  napi_reject_deferred(env, deferred, error);
}

void resolve(const std::shared_ptr<Settler>& settler, Value value) {
  settler->settle([value = std::move(value)](napi_env env, napi_deferred deferred) {
    try {
      napi_resolve_deferred(env, deferred, value(env));
    } catch (const std::exception& error) {
      reject_now(env, deferred, error.what());
    }
  });
}

void reject(const std::shared_ptr<Settler>& settler, std::string message, napi_ref reference) {
  settler->settle([message = std::move(message), reference](napi_env env, napi_deferred deferred) {
    if (reference) napi_delete_reference(env, reference);
    reject_now(env, deferred, message);
  });
}

std::function<void(const std::shared_ptr<Failure>&)> settles(std::shared_ptr<Settler> settler, Value value) {
  return [settler = std::move(settler), value = std::move(value)](const std::shared_ptr<Failure>& failure) {
    if (!failure) return resolve(settler, value);
    failure->reported = true;
    reject(settler, failure->message);
  };
}

// ---------------------------------------------------------------- arguments
Arguments::Arguments(napi_env env, napi_callback_info info, size_t count) : env(env) {
  size_t given = 10;
  check(napi_get_cb_info(env, info, &given, at, nullptr, nullptr));
  if (given < count) throw Invalid("too few arguments");
}

bool is_nothing(napi_env env, napi_value value) {
  napi_valuetype type;
  check(napi_typeof(env, value, &type));
  return type == napi_undefined || type == napi_null;
}

double number_of(napi_env env, napi_value value) {
  double number;
  check(napi_get_value_double(env, value, &number));
  return number;
}

int64_t whole_of(napi_env env, napi_value value, int64_t least, int64_t most) {
  const double number = number_of(env, value);
  if (!(number >= static_cast<double>(least) && number <= static_cast<double>(most)) ||
      number != std::floor(number))
    throw Invalid("a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                  " was expected");
  return static_cast<int64_t>(number);
}

std::string text_of(napi_env env, napi_value value) {
  size_t length;
  check(napi_get_value_string_utf8(env, value, nullptr, 0, &length));
  std::string text(length, '\0');
  check(napi_get_value_string_utf8(env, value, text.data(), length + 1, &length));
  return text;
}

template <typename T>
static std::vector<T> typed(napi_env env, napi_value value, napi_typedarray_type wanted) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  check(napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr));
  if (type != wanted) throw Invalid("a typed array of another kind was expected");
  std::vector<T> values(length);
  if (length) std::memcpy(values.data(), data, length * sizeof(T));
  return values;
}

std::vector<int32_t> integers_of(napi_env env, napi_value value) {
  return typed<int32_t>(env, value, napi_int32_array);
}

std::vector<float> floats_of(napi_env env, napi_value value) {
  return typed<float>(env, value, napi_float32_array);
}

double Arguments::number(size_t i) const { return number_of(env, at[i]); }
int64_t Arguments::whole(size_t i, int64_t least, int64_t most) const {
  return whole_of(env, at[i], least, most);
}
std::string Arguments::text(size_t i) const { return text_of(env, at[i]); }
std::vector<double> Arguments::doubles(size_t i) const {
  return typed<double>(env, at[i], napi_float64_array);
}
std::vector<int32_t> Arguments::integers(size_t i) const { return integers_of(env, at[i]); }

bool Arguments::flag(size_t i) const {
  bool value;
  check(napi_get_value_bool(env, at[i], &value));
  return value;
}

std::vector<napi_value> Arguments::list(size_t i) const { return items_of(env, at[i]); }

std::vector<int64_t> Arguments::numbers(size_t i) const {
  std::vector<int64_t> numbers;
  for (napi_value value : list(i)) numbers.push_back(whole_of(env, value, 0, int64_t{1} << 53));
  return numbers;
}

std::vector<napi_value> items_of(napi_env env, napi_value list) {
  uint32_t length;
  check(napi_get_array_length(env, list, &length));
  std::vector<napi_value> values(length);
  for (uint32_t k = 0; k < length; k++) check(napi_get_element(env, list, k, &values[k]));
  return values;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(napi_get_named_property(env, object, name, &value));
  return value;
}

napi_value make_array_buffer(napi_env env, double bytes, void** data) {
  napi_value global, constructor, argument = make_number(env, bytes), buffer;
  check(napi_get_global(env, &global));
  check(napi_get_named_property(env, global, "ArrayBuffer", &constructor));
  if (napi_new_instance(env, constructor, 1, &argument, &buffer) != napi_ok) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    throw std::bad_alloc();
  }
  size_t length = 0;
  check(napi_get_arraybuffer_info(env, buffer, data, &length));
  if (static_cast<double>(length) != bytes) throw Invalid("the memory of a result could not be made");
  return buffer;
}

napi_value make_number(napi_env env, double value) {
  napi_value number;
  check(napi_create_double(env, value, &number));
  return number;
}

napi_value make_list(napi_env env, std::initializer_list<napi_value> values) {
  napi_value list;
  check(napi_create_array_with_length(env, values.size(), &list));
  uint32_t at = 0;
  for (napi_value value : values) check(napi_set_element(env, list, at++, value));
  return list;
}

napi_value make_object(napi_env env, std::initializer_list<std::pair<const char*, napi_value>> properties) {
  napi_value object;
  check(napi_create_object(env, &object));
  for (const auto& [name, value] : properties) check(napi_set_named_property(env, object, name, value));
  return object;
}

// ---------------------------------------------------------------- registration
napi_value guarded(napi_env env, napi_callback_info info, Function function) {
  try {
    return function(env, info);
  } catch (const Invalid& error) {
    napi_throw_type_error(env, nullptr, error.what());
  } catch (const OutOfMemory& out) {
    napi_throw_error(env, nullptr, ((out.maker.empty() ? "tensor" : out.maker) + ": " + out.told).c_str());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, nullptr, "out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

void add(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  check(napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function));
  check(napi_set_named_property(env, exports, name, function));
}

} // namespace lensor
