// Models across the border. Meanings: lib/native.ts. Ids, shapes and ranges are checked here
// again; that a cache belongs to its model is TypeScript's to say, that it has the model's shape is checked.
#include "../llm/tasks.h"
#include "caches.h"
#include "env.h"
#include "view.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace lensor {

namespace {

int32_t field(napi_env env, napi_value object, const char* name, int64_t most) {
  return static_cast<int32_t>(whole_of(env, property(env, object, name), 1, most));
}

ExpertsSpec read_experts(napi_env env, napi_value object) {
  ExpertsSpec e;
  const auto whole = [&](const char* name, int64_t least, int64_t most) {
    return static_cast<int32_t>(whole_of(env, property(env, object, name), least, most));
  };
  e.count = whole("count", 1, 4096), e.chosen = whole("chosen", 1, e.count),
  e.shared = whole("shared", 0, 256);
  e.sigmoid = whole("sigmoid", 0, 1), e.normalized = whole("normalized", 0, 1);
  e.scale = static_cast<float>(number_of(env, property(env, object, "scale")));
  return e;
}

ModelSpec read_spec(napi_env env, napi_value object) {
  ModelSpec spec;
  spec.layers = field(env, object, "layers", 1 << 10);
  spec.width = field(env, object, "width", 1 << 16);
  spec.heads = field(env, object, "heads", 1 << 10);
  spec.kv_heads = field(env, object, "kvHeads", 1 << 10);
  spec.head_width = field(env, object, "headWidth", 1 << 10);
  spec.feed_forward = field(env, object, "feedForward", 1 << 20);
  spec.vocabulary = field(env, object, "vocabulary", 1 << 22);
  spec.norm_epsilon = static_cast<float>(number_of(env, property(env, object, "normEpsilon")));
  if (const napi_value experts = property(env, object, "experts"); !is_nothing(env, experts))
    spec.experts = read_experts(env, experts);
  if (spec.heads % spec.kv_heads || spec.head_width % 2) throw Invalid("an impossible model");
  return spec;
}

TensorSpec read_tensor(napi_env env, napi_value object) {
  constexpr int64_t kMost = int64_t{1} << 48;
  const auto whole = [&](const char* name) { return whole_of(env, property(env, object, name), 0, kMost); };
  return {text_of(env, property(env, object, "name")),
          static_cast<int32_t>(whole("type")),
          whole("rows"),
          whole("columns"),
          static_cast<size_t>(whole("file")),
          static_cast<size_t>(whole("offset")),
          static_cast<size_t>(whole("bytes"))};
}

// A promise of the model that `make` gives on the executor's thread.
template <typename Make> napi_value promise_model(napi_env env, const char* name, Make make) {
  napi_value promise;
  auto settler = make_promise(env, &promise);
  auto made = std::make_shared<std::shared_ptr<Model>>();
  const auto run = [=](lensor_context* context) {
    *made = make(context);
    return LENSOR_OK;
  };
  const auto value = [made](napi_env env) {
    const auto bytes = static_cast<int64_t>((*made)->bytes.load());
    return wrap<Model>(env, std::move(*made), bytes);
  };
  enqueue({name, {}, {}, run, settles(settler, value)});
  return promise;
}

napi_value load_model(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  std::vector<SourceFile> files;
  for (napi_value file : a.list(0))
    files.push_back({text_of(env, property(env, file, "path")),
                     static_cast<size_t>(whole_of(env, property(env, file, "size"), 1, int64_t{1} << 48))});
  const Turned turned = a.flag(1) ? Turned::pairs : Turned::halves;
  const ModelSpec spec = read_spec(env, a.at[2]);
  std::vector<TensorSpec> tensors;
  for (napi_value value : a.list(3)) tensors.push_back(read_tensor(env, value));
  return promise_model(env, "load", [=](lensor_context* context) {
    return lensor::load_model(context, engine().ops(), files, turned, spec, tensors);
  });
}

napi_value new_model(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 3);
  const ModelSpec spec = read_spec(env, a.at[0]);
  const auto dtype = static_cast<int32_t>(a.whole(1, LENSOR_F32, LENSOR_BF16));
  const bool tied = a.flag(2);
  return promise_model(env, "new model", [=](lensor_context* context) {
    return lensor::new_model(context, engine().ops(), spec, dtype, tied);
  });
}

napi_value copy_model(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  const auto from = unwrap<Model>(env, a.at[0]);
  return promise_model(env, "copy", [=](lensor_context*) {
    auto to = std::make_shared<Model>();
    lensor::copy_model(*from, *to);
    return to;
  });
}

napi_value upcycled_model(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const auto from = unwrap<Model>(env, a.at[0]);
  const ExpertsSpec experts = read_experts(env, a.at[1]);
  if (from->spec.experts.count || experts.shared) throw Invalid("a dense model was expected");
  return promise_model(env, "upcycle", [=](lensor_context* context) {
    return lensor::upcycled_model(context, engine().ops(), *from, experts);
  });
}

napi_value release_model(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  let_go(env, handle_of<Model>(env, a.at[0]));
  return nullptr;
}

// What every pass takes: model, cache, ids and where the cache must stand.
struct Pass {
  std::shared_ptr<Model> model;
  std::shared_ptr<Cache> cache;
  std::vector<int32_t> ids;
  int64_t at = 0;

  Pass(Arguments& a)
      : model(unwrap<Model>(a.env, a.at[0])), cache(unwrap<Cache>(a.env, a.at[1])), ids(a.integers(2)) {
    check_shape(*model, *cache);
    if (ids.empty()) throw Invalid("at least one id was expected");
    for (int32_t id : ids)
      if (id < 0 || id >= model->spec.vocabulary) throw Invalid("an id is no token of the model");
  }
  int64_t count() const { return static_cast<int64_t>(ids.size()); }
  // Where the cache stands, and how many tokens it will hold.
  void place(Arguments& a, int64_t from, int64_t to) {
    at = from;
    tell(a.env, handle_of<Cache>(a.env, a.at[1]), cache->bytes_of(to));
  }
  void check_place() const { check_length(*cache, at); }
};

napi_value forward(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 7);
  Pass pass(a);
  const ModelSpec& s = pass.model->spec;
  const int64_t at = a.whole(3, 0, int64_t{1} << 32);
  const bool fast = a.flag(4), wants = a.flag(5);
  const std::vector<int32_t> rows = is_nothing(env, a.at[6]) ? std::vector<int32_t>() : a.integers(6);
  for (size_t i = 0; i < rows.size(); i++)
    if (rows[i] < (i ? rows[i - 1] + 1 : 0) || rows[i] >= pass.count())
      throw Invalid("ascending places among the ids were expected");
  pass.place(a, at, at + pass.count());
  // Without logits the empty buffer still tells when, and whether, it was done.
  BufferRef out = floats(wants ? pass.count() * s.vocabulary : 0);
  const auto some = static_cast<int64_t>(rows.size());
  BufferRef query = floats(some * s.layers * s.heads * s.head_width);
  napi_value result = make_list(env, {handle(env, out), handle(env, query)});
  const auto run = [=](lensor_context* context) {
    pass.check_place();
    const Sampled sampled{rows.data(), some, query->memory.as<float>()};
    return lensor::forward(context, engine().ops(), *pass.model, *pass.cache, pass.ids.data(), pass.count(),
                           fast, wants ? out->memory.as<float>() : nullptr, nullptr,
                           some ? &sampled : nullptr);
  };
  enqueue({"forward", {}, {out, query}, run, nullptr});
  return result;
}

napi_value trace(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 3);
  Pass pass(a);
  const ModelSpec& s = pass.model->spec;
  const int64_t T = pass.count(), d = s.head_width;
  BufferRef residual = floats((s.layers + 1) * T * s.width), query = floats(s.layers * s.heads * T * d),
            key = floats(s.layers * s.kv_heads * T * d), head = floats(s.layers * T * s.heads * d);
  napi_value result = make_object(env, {{"residual", handle(env, residual)},
                                        {"query", handle(env, query)},
                                        {"key", handle(env, key)},
                                        {"head", handle(env, head)}});
  const auto run = [=](lensor_context* context) {
    pass.check_place();
    const Trace keep{residual->memory.as<float>(), query->memory.as<float>(), key->memory.as<float>(),
                     head->memory.as<float>()};
    return lensor::forward(context, engine().ops(), *pass.model, *pass.cache, pass.ids.data(), pass.count(),
                           false, nullptr, &keep);
  };
  enqueue({"trace", {}, {residual, query, key, head}, run, nullptr});
  return result;
}

napi_value score(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  Pass pass(a);
  const bool fast = a.flag(3);
  BufferRef out = floats(pass.count() - 1);
  napi_value result = handle(env, out);
  const auto run = [=](lensor_context* context) {
    pass.check_place();
    return lensor::score(context, engine().ops(), *pass.model, *pass.cache, pass.ids.data(), pass.count(),
                         fast, out->memory.as<float>());
  };
  enqueue({"score", {}, {out}, run, nullptr});
  return result;
}

template <typename T>
napi_value typed_array(napi_env env, const std::vector<T>& values, napi_typedarray_type type) {
  void* data;
  napi_value buffer, array;
  check(napi_create_arraybuffer(env, values.size() * sizeof(T), &data, &buffer));
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(T));
  check(napi_create_typedarray(env, type, values.size(), buffer, 0, &array));
  return array;
}

// How a text is drawn, and how many of its tokens were before.
struct Drawing {
  SamplerSpec sampler;
  uint64_t drawn;
  std::vector<int32_t> ends;
};

Drawing read_drawing(napi_env env, napi_value options, const ModelSpec& spec) {
  const auto number = [&](const char* name) { return number_of(env, property(env, options, name)); };
  Drawing drawing;
  SamplerSpec& sampler = drawing.sampler;
  sampler.temperature = static_cast<float>(number("temperature"));
  sampler.top_k = static_cast<int32_t>(whole_of(env, property(env, options, "topK"), 0, INT32_MAX));
  sampler.top_p = static_cast<float>(number("topP"));
  sampler.min_p = static_cast<float>(number("minP"));
  sampler.repetition_penalty = static_cast<float>(number("repetitionPenalty"));
  sampler.seed = static_cast<uint64_t>(whole_of(env, property(env, options, "seed"), 0, int64_t{1} << 53));
  sampler.seen = integers_of(env, property(env, options, "seen"));
  drawing.drawn = static_cast<uint64_t>(whole_of(env, property(env, options, "drawn"), 0, int64_t{1} << 53));
  drawing.ends = integers_of(env, property(env, options, "ends"));
  for (int32_t id : sampler.seen)
    if (id < 0 || id >= spec.vocabulary) throw Invalid("an id is no token of the model");
  if (!(sampler.temperature >= 0) || !(sampler.repetition_penalty > 0))
    throw Invalid("an impossible sampler");
  return drawing;
}

napi_value drawn_object(napi_env env, const Drawn& out) {
  return make_object(env, {{"tokens", typed_array(env, out.tokens, napi_int32_array)},
                           {"logprobs", typed_array(env, out.logprobs, napi_float32_array)}});
}

napi_value decode(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 7);
  Pass pass(a);
  const int64_t at = a.whole(3, 0, int64_t{1} << 32);
  const bool fast = a.flag(4);
  const Drawing drawing = read_drawing(env, a.at[5], pass.model->spec);
  const int64_t most = a.whole(6, 1, 1 << 20);
  pass.place(a, at, at + pass.count() + most - 1);

  napi_value promise;
  auto settler = make_promise(env, &promise);
  auto out = std::make_shared<Drawn>();
  const auto run = [=](lensor_context* context) {
    pass.check_place();
    SamplerSpec sampler = drawing.sampler;
    return lensor::decode(context, engine().ops(), *pass.model, *pass.cache, pass.ids.data(), pass.count(),
                          fast, sampler, drawing.drawn, drawing.ends, most, *out);
  };
  enqueue(
      {"generate", {}, {}, run, settles(settler, [out](napi_env env) { return drawn_object(env, *out); })});
  return promise;
}

napi_value decode_together(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 6);
  struct Text {
    std::shared_ptr<Model> model;
    std::shared_ptr<Cache> cache;
    int64_t at;
    int32_t token;
    Drawing drawing;
  };
  constexpr size_t kTexts = 1024;
  const std::vector<napi_value> models = a.list(0), caches = a.list(1), samplers = a.list(4);
  const std::vector<int64_t> tokens = a.numbers(2);
  const bool fast = a.flag(3);
  const int64_t most = a.whole(5, 1, 1 << 20);
  if (caches.empty() || caches.size() > kTexts || tokens.size() != caches.size() ||
      models.size() != caches.size() || samplers.size() != caches.size())
    throw Invalid("a model, a cache, a token and a sampler of each text were expected");
  std::vector<Text> texts;
  for (size_t i = 0; i < caches.size(); i++) {
    const auto cache = unwrap<Cache>(env, caches[i]);
    const auto model = unwrap<Model>(env, models[i]);
    check_shape(*model, *cache);
    for (const Text& other : texts)
      if (other.cache == cache || other.cache->shape().dtype != cache->shape().dtype)
        throw Invalid("texts that are continued together need caches of their own, of one type");
    if (tokens[i] < 0 || tokens[i] >= model->spec.vocabulary) throw Invalid("an id is no token of the model");
    const int64_t at = whole_of(env, property(env, samplers[i], "at"), 0, int64_t{1} << 32);
    tell(env, handle_of<Cache>(env, caches[i]), cache->bytes_of(at + most));
    texts.push_back(
        {model, cache, at, static_cast<int32_t>(tokens[i]), read_drawing(env, samplers[i], model->spec)});
  }
  napi_value promise;
  auto settler = make_promise(env, &promise);
  auto voices = std::make_shared<std::vector<Voice>>();
  const auto run = [=](lensor_context* context) {
    for (const Text& one : texts) {
      check_length(*one.cache, one.at);
      if (!one.model->shares(*texts[0].model))
        throw std::runtime_error(
            "texts that are continued together need one base: the weights of one of their "
            "models were changed");
      voices->push_back({one.cache.get(),
                         &one.model->adapters,
                         one.token,
                         one.drawing.sampler,
                         one.drawing.drawn,
                         {},
                         nullptr});
    }
    return lensor::decode_together(context, engine().ops(), *texts[0].model, *voices, fast,
                                   texts[0].drawing.ends, most);
  };
  const auto value = [voices](napi_env env) {
    napi_value all;
    check(napi_create_array_with_length(env, voices->size(), &all));
    for (uint32_t i = 0; i < voices->size(); i++)
      check(napi_set_element(env, all, i, drawn_object(env, (*voices)[i].out)));
    return all;
  };
  enqueue({"generate", {}, {}, run, settles(settler, value)});
  return promise;
}

napi_value read_progress(napi_env env, napi_callback_info) {
  return make_object(env, {{"done", make_number(env, static_cast<double>(progress().done))},
                           {"total", make_number(env, static_cast<double>(progress().total))}});
}

} // namespace

void add_models(napi_env env, napi_value exports) {
  add(env, exports, "loadModel", entry<load_model>);
  add(env, exports, "newModel", entry<new_model>);
  add(env, exports, "copyModel", entry<copy_model>);
  add(env, exports, "upcycledModel", entry<upcycled_model>);
  add(env, exports, "releaseModel", entry<release_model>);
  add(env, exports, "forward", entry<forward>);
  add(env, exports, "trace", entry<trace>);
  add(env, exports, "score", entry<score>);
  add(env, exports, "decode", entry<decode>);
  add(env, exports, "decodeTogether", entry<decode_together>);
  add(env, exports, "progress", entry<read_progress>);
}

} // namespace lensor
