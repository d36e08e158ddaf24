// What people look at in a model, across the border: the logit lens and attention maps, made from what a
// trace kept. Meanings: lib/native.ts. Shapes and ranges are checked here again.
#include "../llm/tasks.h"
#include "env.h"
#include "view.h"
#include <cmath>

namespace lensor {

namespace {

napi_value lens(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  const auto model = unwrap<Model>(env, a.at[0]);
  const BufferRef input = unwrap<Buffer>(env, a.at[1]);
  std::vector<lensor_view> views = read_views(a.doubles(2), {input});
  const int64_t k = a.whole(3, 1, model->spec.vocabulary);
  lensor_view stream = views.at(0);
  if (stream.rank != 2 || stream.dtype != LENSOR_F32 || !is_contiguous(stream) ||
      stream.shape[1] != model->spec.width)
    throw Invalid("rows of the model's stream were expected");
  const int64_t rows = stream.shape[0];
  BufferRef probabilities = floats(rows * k), ids = std::make_shared<Buffer>(rows * k * sizeof(int64_t));
  napi_value pair = make_list(env, {handle(env, probabilities), handle(env, ids)});
  const auto run = [=](lensor_context* context) mutable {
    point_at(stream, *input);
    return lensor::lens(context, engine().ops(), *model, static_cast<const float*>(stream.data), rows, k,
                        probabilities->memory.as<float>(), ids->memory.as<int64_t>());
  };
  enqueue({"logitLens", {input}, {probabilities, ids}, run, nullptr});
  return pair;
}

napi_value attention_map(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  const BufferRef queries = unwrap<Buffer>(env, a.at[0]), keys = unwrap<Buffer>(env, a.at[2]);
  lensor_view q = read_views(a.doubles(1), {queries}).at(0), k = read_views(a.doubles(3), {keys}).at(0);
  for (const lensor_view* v : {&q, &k})
    if (v->rank != 3 || v->dtype != LENSOR_F32 || !is_contiguous(*v) || v->shape[1] != q.shape[1] ||
        v->shape[2] != q.shape[2])
      throw Invalid("queries and keys of one shape were expected");
  const int64_t heads = q.shape[0], kv_heads = k.shape[0], T = q.shape[1], d = q.shape[2];
  if (heads < 1 || kv_heads < 1 || heads % kv_heads || T < 1)
    throw Invalid("heads that share keys evenly were expected");
  BufferRef out = floats(heads * T * T);
  napi_value result = handle(env, out);
  const auto run = [=](lensor_context* context) mutable {
    point_at(q, *queries), point_at(k, *keys);
    const lensor_attention_map map{static_cast<int32_t>(heads),
                                   static_cast<int32_t>(kv_heads),
                                   static_cast<int32_t>(d),
                                   T,
                                   static_cast<const float*>(q.data),
                                   static_cast<const float*>(k.data),
                                   1.0f / std::sqrt(static_cast<float>(d)),
                                   out->memory.as<float>()};
    return engine().ops()->attention_map(context, &map);
  };
  enqueue({"attention", {queries, keys}, {out}, run, nullptr});
  return result;
}

} // namespace

void add_inspect(napi_env env, napi_value exports) {
  add(env, exports, "lens", entry<lens>);
  add(env, exports, "attentionMap", entry<attention_map>);
}

} // namespace lensor
