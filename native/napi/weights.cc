// A model's weights as tensors, and back. Meanings: lib/native.ts.
#include "../llm/model.h"
#include "../quant/encode.h"
#include "../quant/panel.h"
#include "../quant/rows.h"
#include "env.h"
#include "view.h"
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace lensor {

namespace {

// A matrix or a norm's gain by its name.
struct Named {
  Weight* matrix;
  std::vector<float>* vector;
  std::optional<Adapters::Place> place; // where adapters stand beside the matrix

  int64_t count() const {
    return matrix ? matrix->rows() * matrix->view.cols : static_cast<int64_t>(vector->size());
  }
};

Named named(Model& model, const std::string& name) {
  const Named found{model.find(name), model.find_vector(name), model.place_of(name)};
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
    if (!weight.matrix) {
      std::memcpy(out->memory.data(), weight.vector->data(), out->bytes);
      return LENSOR_OK;
    }
    auto* values = out->memory.as<float>();
    const lensor_weight& view = weight.matrix->view;
    weight.matrix->unpack(context, engine().ops(), values);
    if (weight.place) model->adapters.merge(context, *weight.place, view.rows, view.cols, values);
    return LENSOR_OK;
  };
  enqueue({"weight", {}, {out}, run, nullptr, {}});
  return handle(env, out);
}

napi_value stored_weight(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 3);
  const auto model = unwrap<Model>(env, a.at[0]);
  const Named weight = named(*model, a.text(1));
  const auto dtype = static_cast<int32_t>(a.whole(2, 0, INT32_MAX));
  if (!weight.matrix || !is_weight(dtype) || weight.matrix->view.cols % block_cols(dtype) != 0)
    throw Invalid("a matrix and a type that it can have were expected");
  const OwnerScope weights(Kind::weights);
  const int64_t rows = weight.matrix->rows();
  const BufferRef out = make_tensor(LENSOR_U8, {rows * row_bytes(dtype, weight.matrix->view.cols)}).buffer;
  const auto run = [weight, out, model, dtype, rows](lensor_context* context) {
    if (weight.matrix->view.dtype != dtype) throw std::runtime_error("the weight is kept in another type");
    struct Rows {
      const lensor_weight* weight;
      uint8_t* to;
    } all{&weight.matrix->view, out->memory.as<uint8_t>()};
    const lensor_body body = [](void* arg, int64_t begin, int64_t end, int32_t) {
      const Rows* all = static_cast<const Rows*>(arg);
      stored_rows(*all->weight, begin, end, all->to);
    };
    const int64_t own = weight.matrix->view.rows;
    context->parallel(context, (own + LENSOR_PANEL - 1) / LENSOR_PANEL, 16, body, &all);
    const size_t one = out->bytes / static_cast<size_t>(weight.matrix->repeats);
    for (size_t at = one; at < out->bytes; at += one) std::memcpy(all.to + at, all.to, one);
    return LENSOR_OK;
  };
  enqueue({"weight", {}, {out}, run, nullptr, {}});
  return handle(env, out);
}

napi_value encode_weight(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 5);
  const auto dtype = static_cast<int32_t>(a.whole(0, 0, INT32_MAX));
  const BufferRef values = unwrap<Buffer>(env, a.at[1]);
  const int64_t rows = a.whole(2, 1, INT32_MAX), cols = a.whole(3, 1, INT32_MAX);
  std::vector<BufferRef> inputs{values};
  if (!is_nothing(env, a.at[4])) inputs.push_back(unwrap<Buffer>(env, a.at[4]));
  const auto sized = [&](size_t i, int64_t count) {
    return i >= inputs.size() || inputs[i]->bytes == static_cast<size_t>(count) * sizeof(float);
  };
  if (!is_encoded(dtype) || cols % block_cols(dtype) != 0 || !sized(0, rows * cols) || !sized(1, cols))
    throw Invalid("rows of floats and a type of blocks that fit them were expected");
  const BufferRef out = make_tensor(LENSOR_U8, {rows * row_bytes(dtype, cols)}).buffer;
  const auto run = [=](lensor_context* context) {
    struct Rows {
      lensor_context* context;
      int32_t dtype;
      const float *values, *importance;
      int64_t cols;
      uint8_t* to;
      std::atomic<bool> finite{true};
    } all{context,
          dtype,
          values->memory.as<float>(),
          inputs.size() > 1 ? inputs[1]->memory.as<float>() : nullptr,
          cols,
          out->memory.as<uint8_t>()};
    const lensor_body body = [](void* arg, int64_t begin, int64_t end, int32_t) {
      auto* all = static_cast<Rows*>(arg);
      const int64_t count = (end - begin) * all->cols;
      const float* from = all->values + begin * all->cols;
      if (all->context->interrupted(all->context)) return;
      if (!std::all_of(from, from + count, [](float x) { return std::isfinite(x); })) all->finite = false;
      encode_rows(all->dtype, from, end - begin, all->cols, all->importance,
                  all->to + begin * row_bytes(all->dtype, all->cols));
    };
    context->parallel(context, rows, 4, body, &all);
    if (!all.finite) throw std::runtime_error("a matrix to be rounded holds infinities or NaN");
    return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
  };
  enqueue({"encode", inputs, {out}, run, nullptr, {}});
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
    const int64_t rows = weight.matrix ? weight.matrix->rows() : 1;
    if (buffer->bytes != static_cast<size_t>(row_bytes(dtype, weight.count() / rows) * rows))
      throw Invalid("a value has another size than its weight");
    const bool last = i + 1 == names.size();
    const auto run = [weight, buffer, model, last, dtype](lensor_context* context) {
      if (weight.matrix) {
        weight.matrix->replace(context, engine().ops(), dtype, buffer->memory.data());
        // What stood beside the old one is in the new one.
        if (weight.place) model->adapters.set(*weight.place, 0, 0, {});
      } else {
        std::memcpy(weight.vector->data(), buffer->memory.data(), buffer->bytes);
      }
      if (last) model->count_bytes();
      return LENSOR_OK;
    };
    enqueue({"update", {buffer}, {}, run, nullptr, {}});
  }
  return nullptr;
}

napi_value factor_weight(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 6);
  const auto model = unwrap<Model>(env, a.at[0]);
  const Named weight = named(*model, a.text(1));
  const BufferRef down = unwrap<Buffer>(env, a.at[2]), up = unwrap<Buffer>(env, a.at[3]);
  const auto dtype = static_cast<int32_t>(a.whole(4, 0, LENSOR_BF16));
  const int64_t rank = a.whole(5, 1, 1 << 16);
  if (!weight.place) throw Invalid("only a matrix of a layer can be factors");
  const lensor_weight& view = weight.matrix->view;
  if (down->bytes != static_cast<size_t>(rank * row_bytes(dtype, view.cols)) ||
      up->bytes != static_cast<size_t>(view.rows * row_bytes(dtype, rank)))
    throw Invalid("the factors have another size than their matrix");
  const auto run = [=](lensor_context* context) {
    weight.matrix->replace_factors(context, engine().ops(), dtype, rank, down->memory.data(),
                                   up->memory.data());
    model->adapters.set(*weight.place, 0, 0, {});
    model->count_bytes();
    return LENSOR_OK;
  };
  enqueue({"update", {down, up}, {}, run, nullptr, {}});
  return nullptr;
}

napi_value tuned_model(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  const auto base = unwrap<Model>(env, a.at[0]);
  auto made = base->sibling();
  const auto run = [=](lensor_context*) {
    copy_model(*base, *made);
    return LENSOR_OK;
  };
  enqueue({"tuned", {}, {}, run, nullptr, {}});
  return wrap<Model>(env, std::move(made), 0);
}

// One adapter beside a matrix; the buffers it needs are added to `inputs`, whose places are kept.
struct Wished {
  int64_t rank = 0;
  float scale = 1;
  int32_t down = -1, up = -1, gain = -1, input = -1;

  Learnt learnt(const std::vector<BufferRef>& inputs) const {
    const auto at = [&](int32_t i) { return i < 0 ? nullptr : inputs[i]->memory.as<float>(); };
    return {rank, scale, at(down), at(up), at(gain), at(input)};
  }
};

Wished read_wished(napi_env env, napi_value value, int64_t rows, int64_t cols,
                   std::vector<BufferRef>& inputs) {
  Wished wished;
  wished.rank = whole_of(env, property(env, value, "rank"), 0, 1 << 16);
  wished.scale = static_cast<float>(number_of(env, property(env, value, "scale")));
  const auto buffer = [&](const char* name, int64_t count, bool must) {
    const napi_value given = property(env, value, name);
    if (is_nothing(env, given) && !must) return -1;
    const BufferRef found = unwrap<Buffer>(env, given);
    if (found->bytes != static_cast<size_t>(count) * sizeof(float))
      throw Invalid("an adapter's numbers do not fit its matrix");
    inputs.push_back(found);
    return static_cast<int32_t>(inputs.size() - 1);
  };
  if (wished.rank) wished.down = buffer("down", wished.rank * cols, true);
  if (wished.rank) wished.up = buffer("up", rows * wished.rank, true);
  wished.gain = buffer("gain", rows, false);
  wished.input = buffer("input", cols, false);
  return wished;
}

napi_value set_adapters(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 3);
  const auto model = unwrap<Model>(env, a.at[0]);
  const std::vector<napi_value> names = a.list(1), lists = a.list(2);
  if (names.size() != lists.size()) throw Invalid("a list for each name was expected");
  struct Beside {
    Adapters::Place place;
    int64_t rows, cols;
    std::vector<Wished> wished;
  };
  std::vector<Beside> all;
  std::vector<BufferRef> inputs;
  for (size_t i = 0; i < names.size(); i++) {
    const Named weight = named(*model, text_of(env, names[i]));
    if (!weight.place) throw Invalid("no adapter stands beside this weight");
    const lensor_weight& view = weight.matrix->view;
    Beside beside{*weight.place, view.rows, view.cols, {}};
    for (napi_value value : items_of(env, lists[i]))
      beside.wished.push_back(read_wished(env, value, view.rows, view.cols, inputs));
    for (const Wished& one : beside.wished)
      if (one.input >= 0 && beside.place.part != LENSOR_DOWN)
        throw Invalid("others read what this matrix reads");
    all.push_back(std::move(beside));
  }
  const auto run = [=](lensor_context*) {
    for (const Beside& one : all) {
      std::vector<Learnt> learnt;
      for (const Wished& wished : one.wished) learnt.push_back(wished.learnt(inputs));
      model->adapters.set(one.place, one.rows, one.cols, learnt);
    }
    model->count_bytes();
    return LENSOR_OK;
  };
  enqueue({"adapters", inputs, {}, run, nullptr, {}});
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
  add(env, exports, "storedWeight", entry<stored_weight>);
  add(env, exports, "encodeWeight", entry<encode_weight>);
  add(env, exports, "updateWeights", entry<update_weights>);
  add(env, exports, "factorWeight", entry<factor_weight>);
  add(env, exports, "tunedModel", entry<tuned_model>);
  add(env, exports, "setAdapters", entry<set_adapters>);
  add(env, exports, "modelBytes", entry<model_bytes>);
  add(env, exports, "versions", entry<versions>);
}

} // namespace lensor
