// The tape across the border: where it starts, views on it, going back, and what was gathered. Meanings:
// lib/native.ts.
#include "../core/algebra.h"
#include "../core/checkpoint.h"
#include "place.h"
#include "view.h"

namespace lensor {

namespace {

const Op* view_op(int64_t number) {
  const Op* op = operations()[number];
  if (op->run) throw Invalid("only a view is recorded by itself");
  return op;
}

napi_value leaf(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  const std::vector<Tensor> made = read_results(a.doubles(0));
  need(made.size() == 1 && is_floating(made[0].dtype()));
  return place(env, make_leaf(made[0]), 0);
}

napi_value record_view(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  Call call;
  call.op = view_op(a.whole(0, 0, static_cast<int64_t>(operations().size()) - 1));
  call.params = a.doubles(1);
  std::vector<Tensor> shapes = read_results(a.doubles(2));
  need(shapes.size() == 2);
  const auto from = unwrap<Place>(env, a.at[3]);
  call.in = {shapes[0]}, call.out = {shapes[1]};
  call.in[0].node = from->node, call.in[0].slot = from->slot;
  need(shapes[0].dtype() == shapes[1].dtype() && is_floating(shapes[0].dtype()));
  const lensor_view &made = from->node->out.at(from->slot).tensor.view, &own = shapes[0].view;
  need(same_shape(made, own) && made.dtype == own.dtype);
  call.op->check(call);
  return place(env, record(call), 0);
}

napi_value go_back(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  const auto at = unwrap<Place>(env, a.at[0]);
  const Saved& made = at->node->out.at(at->slot);
  Tensor seed;
  if (!is_nothing(env, a.at[1])) {
    seed = read_tensors(a.doubles(2), {unwrap<Buffer>(env, a.at[1])}).at(0);
    need(same_shape(made.tensor.view, seed.view) && made.tensor.dtype() == seed.dtype());
  }
  Tensor root = made.tensor;
  root.node = at->node, root.slot = at->slot;
  backward(root, seed, a.flag(3));
  return nullptr;
}

// What a leaf has gathered, row-major, or nothing.
napi_value gradient(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  const auto at = unwrap<Place>(env, a.at[0]);
  if (!at->node->gradient.buffer) return nullptr;
  return wrap<Buffer>(env, at->node->gradient.buffer, 0);
}

// Replaces what a leaf has gathered: by nothing, or by a tensor of its shape.
napi_value set_gradient(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 3);
  const auto at = unwrap<Place>(env, a.at[0]);
  need(at->node->is_leaf());
  if (is_nothing(env, a.at[1])) {
    at->node->gradient = {};
    return nullptr;
  }
  const BufferRef buffer = unwrap<Buffer>(env, a.at[1]);
  const Tensor given = read_tensors(a.doubles(2), {buffer}).at(0);
  const lensor_view& own = at->node->out[0].tensor.view;
  need(same_shape(own, given.view) && own.dtype == given.dtype());
  at->node->gradient = copied(given);
  return nullptr;
}

// Writes a tensor's values into another's memory, of the same shape.
napi_value assign(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  std::vector<BufferRef> buffers;
  for (napi_value value : a.list(0)) buffers.push_back(unwrap<Buffer>(env, value));
  const std::vector<Tensor> tensors = read_tensors(a.doubles(1), buffers);
  need(tensors.size() == 2 && same_shape(tensors[0].view, tensors[1].view));
  for (int32_t d = 0; d < tensors[0].view.rank; d++)
    need(tensors[0].view.stride[d] != 0 || tensors[0].view.shape[d] <= 1);
  const Tensor to = tensors[0];
  // What looks at the same memory is read before it is overwritten.
  const Tensor from = to.buffer == tensors[1].buffer ? copied(tensors[1]) : tensors[1];
  to.buffer->version++;
  const auto run = [=](lensor_context* context) {
    const lensor_view x = pointed(from.view, *from.buffer), out = pointed(to.view, *to.buffer);
    return count_of(out) ? engine().ops()->copy(context, &x, &out) : LENSOR_OK;
  };
  Task task{"assign", {from.buffer, to.buffer}, {}, run, nullptr, {}};
  task.changes = {to.buffer};
  enqueue(std::move(task));
  return nullptr;
}

napi_value open_checkpoint(napi_env, napi_callback_info) {
  Checkpoint::open();
  return nullptr;
}

napi_value close_checkpoint(napi_env, napi_callback_info) {
  Checkpoint::close();
  return nullptr;
}

napi_value release_place(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  let_go(env, handle_of<Place>(env, a.at[0]));
  return nullptr;
}

} // namespace

napi_value place(napi_env env, const std::shared_ptr<Node>& node, int32_t slot) {
  return wrap<Place>(env, std::make_shared<Place>(Place{node, slot}), 0);
}

void read_places(napi_env env, napi_value list, std::vector<Tensor>& tensors) {
  if (is_nothing(env, list)) return;
  uint32_t length;
  check(napi_get_array_length(env, list, &length));
  if (length != tensors.size()) throw Invalid("a place for each input was expected");
  for (uint32_t i = 0; i < length; i++) {
    napi_value value;
    check(napi_get_element(env, list, i, &value));
    if (is_nothing(env, value)) continue;
    const auto at = unwrap<Place>(env, value);
    tensors[i].node = at->node;
    tensors[i].slot = at->slot;
  }
}

void add_tape(napi_env env, napi_value exports) {
  add(env, exports, "leaf", entry<leaf>);
  add(env, exports, "releasePlace", entry<release_place>);
  add(env, exports, "recordView", entry<record_view>);
  add(env, exports, "backward", entry<go_back>);
  add(env, exports, "gradient", entry<gradient>);
  add(env, exports, "setGradient", entry<set_gradient>);
  add(env, exports, "assign", entry<assign>);
  add(env, exports, "openCheckpoint", entry<open_checkpoint>);
  add(env, exports, "closeCheckpoint", entry<close_checkpoint>);
}

} // namespace lensor
