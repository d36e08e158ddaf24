// A model's weights as tensors, and back. Meanings: lib/native.ts.
#include "../llm/model.h"
#include "../quant/panel.h"
#include "env.h"
#include "view.h"
#include <algorithm>
#include <cstring>

namespace lensor {

namespace {

// A matrix or a norm's gain by its name.
struct Named {
  Weight* matrix;
  std::vector<float>* vector;

  int64_t count() const {
    return matrix ? matrix->view.rows * matrix->view.cols : static_cast<int64_t>(vector->size());
  }
};

Named named(Model& model, const std::string& name) {
  const Named found{model.find(name), model.find_vector(name)};
  if (!found.matrix && !found.vector) throw Invalid("the model has no weight of this name");
  return found;
}

napi_value unpack_weight(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const auto model = unwrap<Model>(env, a.at[0]);
  const Named weight = named(*model, a.text(1));
  const OwnerScope weights(Kind::weights);
  const BufferRef out = floats(weight.count());
  // The task holds the model, whose parts the pointers are.
  const auto run = [weight, out, model](lensor_context* context) {
    if (weight.matrix)
      weight.matrix->unpack(context, engine().ops(), out->memory.as<float>());
    else
      std::memcpy(out->memory.data(), weight.vector->data(), out->bytes);
    return LENSOR_OK;
  };
  enqueue({"weight", {}, {out}, run, nullptr, {}});
  return handle(env, out);
}

napi_value update_weights(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  const auto model = unwrap<Model>(env, a.at[0]);
  const std::vector<napi_value> names = a.list(1), values = a.list(2);
  const std::vector<int64_t> types = a.numbers(3);
  if (names.size() != values.size() || names.size() != types.size())
    throw Invalid("a value and a type for each name were expected");
  for (size_t i = 0; i < names.size(); i++) {
    const Named weight = named(*model, text_of(env, names[i]));
    const BufferRef buffer = unwrap<Buffer>(env, values[i]);
    const auto dtype = static_cast<int32_t>(std::clamp<int64_t>(types[i], -1, INT32_MAX));
    if (weight.matrix ? !is_weight(dtype) || weight.matrix->view.cols % block_cols(dtype) != 0
                      : dtype != LENSOR_F32)
      throw Invalid("a value has a type that its weight cannot have");
    const int64_t rows = weight.matrix ? weight.matrix->view.rows : 1;
    if (buffer->bytes != static_cast<size_t>(row_bytes(dtype, weight.count() / rows) * rows))
      throw Invalid("a value has another size than its weight");
    const bool last = i + 1 == names.size();
    const auto run = [weight, buffer, model, last, dtype](lensor_context* context) {
      if (weight.matrix)
        weight.matrix->replace(context, engine().ops(), dtype, buffer->memory.data());
      else
        std::memcpy(weight.vector->data(), buffer->memory.data(), buffer->bytes);
      if (last) model->count_bytes();
      return LENSOR_OK;
    };
    enqueue({"update", {buffer}, {}, run, nullptr, {}});
  }
  return nullptr;
}

napi_value model_bytes(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  return make_number(env, static_cast<double>(unwrap<Model>(env, a.at[0])->bytes.load()));
}

napi_value versions(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  double sum = 0;
  for (napi_value value : a.list(0)) sum += unwrap<Buffer>(env, value)->version;
  return make_number(env, sum);
}

} // namespace

void add_weights(napi_env env, napi_value exports) {
  add(env, exports, "unpackWeight", entry<unpack_weight>);
  add(env, exports, "updateWeights", entry<update_weights>);
  add(env, exports, "modelBytes", entry<model_bytes>);
  add(env, exports, "versions", entry<versions>);
}

} // namespace lensor
