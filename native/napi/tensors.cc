// Tensors across the border: upload, operations, read, release. TypeScript has worked out shapes and types
// and said what is wrong in the person's words; here everything that could reach outside a buffer is checked
// again.
#include "../core/checkpoint.h"
#include "../llm/model.h"
#include "env.h"
#include "place.h"
#include "view.h"
#include <algorithm>
#include <cstring>

namespace lensor {

namespace {

// The names of the operations, in the order of their numbers.
napi_value names(napi_env env) {
  napi_value list;
  check(napi_create_array(env, &list));
  uint32_t i = 0;
  for (const Op* op : operations()) {
    napi_value name;
    check(napi_create_string_utf8(env, op->name, NAPI_AUTO_LENGTH, &name));
    check(napi_set_element(env, list, i++, name));
  }
  return list;
}

// Results, then (where the call was recorded) the place of each on the tape.
napi_value results_of(napi_env env, const Call& call, const std::shared_ptr<Node>& node) {
  napi_value list;
  check(napi_create_array(env, &list));
  uint32_t at = 0;
  for (const Tensor& result : call.out) check(napi_set_element(env, list, at++, handle(env, result.buffer)));
  if (!node) return list;
  for (size_t i = 0; i < call.out.size(); i++)
    check(napi_set_element(env, list, at++, place(env, node, static_cast<int32_t>(i))));
  return list;
}

// [model, name]: the packed weight that the operation uses, or nothing.
void read_weight(napi_env env, napi_value value, Call& call) {
  bool is_list;
  check(napi_is_array(env, value, &is_list));
  if (!is_list) return;
  napi_value model, name;
  check(napi_get_element(env, value, 0, &model));
  check(napi_get_element(env, value, 1, &name));
  const auto held = unwrap<Model>(env, model);
  const Weight* weight = held->find(text_of(env, name));
  if (!weight) throw Invalid("the model has no weight of this name");
  call.held = held;
  call.weight = &weight->view;
}

napi_value op(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 6);
  Call call;
  call.op = operations()[a.whole(0, 0, static_cast<int64_t>(operations().size()) - 1)];
  if (!call.op->run) throw Invalid("a view is recorded, it does not run");
  call.params = a.doubles(1);
  call.out = read_results(a.doubles(2));
  std::vector<BufferRef> buffers;
  for (napi_value value : a.list(3)) buffers.push_back(unwrap<Buffer>(env, value));
  call.in = read_tensors(a.doubles(4), buffers);
  read_places(env, a.at[5], call.in);
  read_weight(env, a.at[6], call);
  call.op->check(call);
  Checkpoint::note(call);
  const auto node = record(call);
  enqueue_call(call);
  return results_of(env, call, node);
}

napi_value upload(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  napi_typedarray_type type;
  size_t length;
  void* data;
  check(napi_get_typedarray_info(env, a.at[0], &type, &length, &data, nullptr, nullptr));
  constexpr size_t kWidths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  if (type > napi_biguint64_array) throw Invalid("a typed array of this kind cannot be uploaded");
  const size_t bytes = length * kWidths[type];
  auto buffer = std::make_shared<Buffer>(bytes);
  std::string maker;
  if (!is_nothing(env, a.at[1])) {
    const std::vector<Tensor> shapes = read_results(a.doubles(2));
    need(shapes.size() == 1);
    maker = a.text(1);
    const uint64_t number = buffer->label.number;
    buffer->label = shapes[0].buffer->label;
    buffer->label.number = number, buffer->label.maker = maker;
  }
  buffer->memory = Block(bytes, buffer->owner, &buffer->label);
  buffer->label.maker = {};
  if (bytes) std::memcpy(buffer->memory.data(), data, bytes);
  return wrap<Buffer>(env, buffer, static_cast<int64_t>(bytes));
}

// Smaller reads are not worth counting.
constexpr double kReadCounts = 1 << 20;

napi_value read(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const BufferRef input = unwrap<Buffer>(env, a.at[0]);
  std::vector<lensor_view> views = read_views(a.doubles(1), {input});
  lensor_view out = contiguous_view(views[0].dtype, {views[0].shape, views[0].shape + views[0].rank});
  napi_value array, promise;
  const auto bytes = static_cast<double>(count_of(out)) * static_cast<double>(dtype_bytes(out.dtype));
  // A view that repeats its elements may be larger than all tensors together.
  std::shared_ptr<Reservation> room;
  if (bytes >= kReadCounts && bytes > static_cast<double>(input->bytes)) {
    Label label{"read", out.dtype, out.rank};
    std::copy(out.shape, out.shape + out.rank, label.shape.begin());
    room = std::make_shared<Reservation>(static_cast<size_t>(bytes), memory_owner(), &label);
  }
  // The executor writes straight into what JavaScript gets; a reference keeps it until then.
  array = make_array_buffer(env, bytes, &out.data);
  napi_ref reference;
  check(napi_create_reference(env, array, 1, &reference));
  auto settler = make_promise(env, &promise);
  const auto run = [=](lensor_context* context) mutable {
    if (count_of(out) == 0) return LENSOR_OK;
    point_at(views[0], *input);
    return while_open(settler, [&] { return engine().ops()->copy(context, &views[0], &out); });
  };
  const auto value = [reference, room](napi_env env) {
    napi_value array;
    check(napi_get_reference_value(env, reference, &array));
    napi_delete_reference(env, reference);
    return array;
  };
  const auto done = [settler, value, reference](const std::shared_ptr<Failure>& failure) {
    if (!failure) return resolve(settler, value);
    failure->reported = true;
    reject(settler, failure->message, reference);
  };
  enqueue({"read", {input}, {}, run, done});
  return promise;
}

// What errors call it from now on, beside what made it.
napi_value name(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const BufferRef buffer = unwrap<Buffer>(env, a.at[0]);
  const auto run = [buffer, text = a.text(1)](lensor_context*) {
    memory_name(buffer->memory.data(), text);
    return LENSOR_OK;
  };
  enqueue({"name", {buffer}, {}, run, nullptr, {}});
  return nullptr;
}

napi_value number(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  return make_number(env, static_cast<double>(unwrap<Buffer>(env, a.at[0])->label.number));
}

napi_value release(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  let_go(env, handle_of<Buffer>(env, a.at[0]));
  return nullptr;
}

napi_value drain(napi_env env, napi_callback_info) {
  napi_value promise;
  auto settler = make_promise(env, &promise);
  const auto done = [settler](const std::shared_ptr<Failure>&) {
    resolve(settler, [messages = engine().take_failures()](napi_env env) {
      napi_value list;
      check(napi_create_array(env, &list));
      for (uint32_t i = 0; i < messages.size(); i++) {
        napi_value text;
        check(napi_create_string_utf8(env, messages[i].data(), messages[i].size(), &text));
        check(napi_set_element(env, list, i, text));
      }
      return list;
    });
  };
  enqueue({"drain", {}, {}, nullptr, done});
  return promise;
}

} // namespace

void add_tensors(napi_env env, napi_value exports) {
  add(env, exports, "upload", entry<upload>);
  check(napi_set_named_property(env, exports, "operations", names(env)));
  add(env, exports, "op", entry<op>);
  add(env, exports, "read", entry<read>);
  add(env, exports, "name", entry<name>);
  add(env, exports, "number", entry<number>);
  add(env, exports, "release", entry<release>);
  add(env, exports, "drain", entry<drain>);
}

} // namespace lensor
