// Caches across the border. Meanings: lib/native.ts. Shapes and ranges are checked here again; that a cache
// belongs to its model is TypeScript's to say, that it has the model's shape is checked.
#include "caches.h"
#include "../llm/tasks.h"
#include "env.h"
#include "view.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace lensor {

void check_shape(const Model& model, const Cache& cache) {
  const CacheShape& have = cache.shape();
  const ModelSpec& want = model.spec;
  if (have.layers != want.layers || have.kv_heads != want.kv_heads || have.head_width != want.head_width)
    throw Invalid("the cache has the shape of another model");
}

void check_length(const Cache& cache, int64_t length) {
  if (cache.length() != length)
    throw std::runtime_error("the cache holds " + std::to_string(cache.length()) + " tokens where " +
                             std::to_string(length) +
                             " were expected: an earlier step failed or was interrupted. Go on from rewind(" +
                             std::to_string(std::min(length, cache.length())) + ").");
}

namespace {

constexpr int64_t kLongest = int64_t{1} << 32;

// V8 is told of a cache's bytes as passes are asked for: what it will hold after them.
napi_value wrap_cache(napi_env env, std::shared_ptr<Cache> cache, size_t bytes = 0) {
  cache->expect(bytes);
  napi_value result = wrap<Cache>(env, std::move(cache), 0);
  if (bytes) tell(env, handle_of<Cache>(env, result), bytes);
  return result;
}

napi_value new_cache(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  const ModelSpec& spec = unwrap<Model>(env, a.at[0])->spec;
  const auto dtype = static_cast<int32_t>(a.whole(1, LENSOR_F32, LENSOR_I8));
  auto rope = std::make_shared<Rope>();
  for (double frequency : a.doubles(2)) rope->frequencies.push_back(static_cast<float>(frequency));
  rope->attention_factor = static_cast<float>(a.number(3));
  const bool finite = std::all_of(rope->frequencies.begin(), rope->frequencies.end(),
                                  [](float frequency) { return std::isfinite(frequency); });
  if (static_cast<int32_t>(rope->frequencies.size()) * 2 != spec.head_width || !finite ||
      !std::isfinite(rope->attention_factor))
    throw Invalid("impossible turns of RoPE");
  const CacheShape shape{spec.layers, spec.kv_heads, spec.head_width, dtype};
  return wrap_cache(env, std::make_shared<Cache>(shape, std::move(rope)));
}

napi_value fork_cache(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const auto from = unwrap<Cache>(env, a.at[0]);
  const int64_t length = a.whole(1, 0, kLongest);
  auto to = from->sibling();
  const auto run = [=](lensor_context*) {
    to->expect(0);
    if (length > from->length())
      throw std::runtime_error("the cache is shorter than that: an earlier step failed");
    if (length < from->least())
      throw std::runtime_error("the cache's first " + std::to_string(from->least()) +
                               " tokens were made smaller together and cannot be cut");
    to->share(*from, length);
    return LENSOR_OK;
  };
  // What it is expected to hold is said first: the queue may have counted by the time this thread goes on.
  napi_value result = wrap_cache(env, to, std::min(from->bytes(), from->bytes_of(length)));
  enqueue({"fork", {}, {}, run, nullptr});
  return result;
}

// What one head is to become; the buffers it needs are added to `inputs`, whose places are kept.
struct Wish {
  HeadChoice choice;
  int32_t keys = -1, values = -1;
  std::shared_ptr<SideCode> key_code, value_code;
  int32_t key_basis = -1, value_basis = -1, key_numbers = -1, value_numbers = -1;
};

// How a side of a head is to be stored. A basis is copied once it is there.
std::shared_ptr<SideCode> read_code(napi_env env, napi_value value, const CacheShape& shape,
                                    std::vector<BufferRef>& inputs, int32_t& basis, size_t keys,
                                    int32_t& numbers, int32_t& of) {
  if (is_nothing(env, value)) return nullptr;
  auto side = std::make_shared<SideCode>();
  lensor_kv_code& code = side->code;
  const int32_t width = shape.head_width;
  const std::string kind = text_of(env, property(env, value, "kind"));
  code.dtype = shape.dtype == LENSOR_I8 ? LENSOR_F16 : shape.dtype;
  if (kind == "bits") {
    code.kind = LENSOR_KV_BITS;
    code.bits = static_cast<int32_t>(whole_of(env, property(env, value, "bits"), 2, 8));
    code.per_token = text_of(env, property(env, value, "per")) == "token";
    code.rotated = whole_of(env, property(env, value, "rotated"), 0, 1) != 0;
    if ((code.bits > 4 && code.bits != 8) || (code.rotated && (width & (width - 1))))
      throw Invalid("an impossible code of bits");
  } else if (kind == "channels") {
    code.kind = LENSOR_KV_CHANNELS;
    const std::vector<int32_t> channels = integers_of(env, property(env, value, "channels"));
    for (size_t i = 0; i < channels.size(); i++)
      if (channels[i] < 0 || channels[i] >= width || (i > 0 && channels[i] <= channels[i - 1]))
        throw Invalid("channels of a head were expected, ascending");
    if (channels.empty()) throw Invalid("at least one channel was expected");
    side->set_channels(channels, {memory_owner().cell, Kind::cache});
  } else if (kind == "shared") {
    code.kind = LENSOR_KV_CHANNELS;
    const std::vector<float> lengths = floats_of(env, property(env, value, "lengths"));
    if (lengths.size() != keys) throw Invalid("a length for each kept key was expected");
    side->set_factors(lengths, width, {memory_owner().cell, Kind::cache});
    if (const napi_value own = property(env, value, "directions"); !is_nothing(env, own)) {
      const BufferRef buffer = unwrap<Buffer>(env, own);
      if (buffer->bytes != keys * width * sizeof(float))
        throw Invalid("a row of f32 for each kept key was expected");
      inputs.push_back(buffer);
      numbers = static_cast<int32_t>(inputs.size() - 1);
    } else {
      of = static_cast<int32_t>(whole_of(env, property(env, value, "of"), 0, int64_t(shape.heads()) - 1));
    }
  } else {
    code.kind = LENSOR_KV_RANK;
    const BufferRef buffer = unwrap<Buffer>(env, property(env, value, "basis"));
    const int64_t rank = whole_of(env, property(env, value, "rank"), 1, width);
    if (buffer->bytes != static_cast<size_t>(rank * width) * sizeof(float))
      throw Invalid("a basis of rows of f32 was expected");
    code.rank = static_cast<int32_t>(rank);
    inputs.push_back(buffer);
    basis = static_cast<int32_t>(inputs.size() - 1);
  }
  return side;
}

Wish read_wish(napi_env env, napi_value value, const CacheShape& shape, std::vector<BufferRef>& inputs) {
  Wish wish;
  const int64_t width = shape.head_width;
  if (is_nothing(env, value)) return wish;
  wish.choice.all = false;
  wish.choice.keep = integers_of(env, property(env, value, "keep"));
  if (const napi_value bias = property(env, value, "bias"); !is_nothing(env, bias))
    wish.choice.bias = floats_of(env, bias);
  const size_t keys = wish.choice.keep.size();
  if (!wish.choice.bias.empty() && wish.choice.bias.size() != keys)
    throw Invalid("a bias for each kept key was expected");
  const auto replaced = [&](const char* name) {
    const napi_value given = property(env, value, name);
    if (is_nothing(env, given)) return -1;
    const BufferRef buffer = unwrap<Buffer>(env, given);
    if (buffer->bytes != keys * width * sizeof(float))
      throw Invalid("a row of f32 for each kept key was expected");
    inputs.push_back(buffer);
    return static_cast<int32_t>(inputs.size() - 1);
  };
  wish.keys = replaced("keys");
  wish.values = replaced("values");
  wish.key_code = read_code(env, property(env, value, "keyCode"), shape, inputs, wish.key_basis, keys,
                            wish.key_numbers, wish.choice.code.keys_of);
  wish.value_code = read_code(env, property(env, value, "valueCode"), shape, inputs, wish.value_basis, keys,
                              wish.value_numbers, wish.choice.code.values_of);
  const auto count = static_cast<int64_t>(keys);
  if (wish.key_code || wish.value_code) {
    HeadCode& code = wish.choice.code;
    code.to = whole_of(env, property(env, value, "codedTo"), 0, count);
    code.from = whole_of(env, property(env, value, "codedFrom"), 0, code.to);
    if (code.from % LENSOR_PAGE || (code.to % LENSOR_PAGE && code.to != count))
      throw Invalid("whole pages were expected to be in a code");
  }
  return wish;
}

napi_value choose_keys(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  const auto from = unwrap<Cache>(env, a.at[0]);
  const int64_t length = a.whole(1, 0, kLongest), next = a.whole(3, 0, kLongest);
  std::vector<BufferRef> inputs;
  std::vector<Wish> wishes;
  for (napi_value value : a.list(2)) wishes.push_back(read_wish(env, value, from->shape(), inputs));
  if (wishes.size() != from->shape().heads()) throw Invalid("a choice for each head was expected");
  // What another head holds for it: the same number of keys, in the same places of the same code.
  for (size_t i = 0; i < wishes.size(); i++) {
    const HeadCode& code = wishes[i].choice.code;
    for (const auto& [of, values] : {std::pair(code.keys_of, false), std::pair(code.values_of, true)}) {
      if (of < 0) continue;
      const Wish& other = wishes[of];
      const HeadCode& own = other.choice.code;
      if (of >= static_cast<int32_t>(i) || own.from != code.from || own.to != code.to ||
          other.choice.keep.size() != wishes[i].choice.keep.size() ||
          (values ? other.value_numbers : other.key_numbers) < 0)
        throw Invalid("a head before it with as many keys was expected to share with");
    }
  }
  auto to = from->sibling();
  const auto run = [=](lensor_context* context) mutable {
    check_length(*from, length);
    std::vector<HeadChoice> choices;
    for (Wish& wish : wishes) {
      if (wish.keys >= 0) wish.choice.keys = inputs[wish.keys]->memory.as<float>();
      if (wish.values >= 0) wish.choice.values = inputs[wish.values]->memory.as<float>();
      const Owner owner{memory_owner().cell, Kind::cache};
      const auto finished = [&](const std::shared_ptr<SideCode>& side, int32_t basis) {
        if (basis >= 0)
          side->set_basis(inputs[basis]->memory.as<float>(), side->code.rank, from->shape().head_width,
                          owner);
        return side;
      };
      if (wish.key_numbers >= 0) wish.choice.key_numbers = inputs[wish.key_numbers]->memory.as<float>();
      if (wish.value_numbers >= 0) wish.choice.value_numbers = inputs[wish.value_numbers]->memory.as<float>();
      wish.choice.code.keys = finished(wish.key_code, wish.key_basis);
      wish.choice.code.values = finished(wish.value_code, wish.value_basis);
      choices.push_back(std::move(wish.choice));
    }
    to->choose(context, engine().ops(), *from, choices, next);
    return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
  };
  // The empty buffer tells when, and whether, it was done.
  BufferRef done = floats(0);
  napi_value result = make_list(env, {wrap_cache(env, to), handle(env, done)});
  enqueue({"compact", inputs, {done}, run, nullptr});
  return result;
}

napi_value read_pages(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 3);
  const auto from = unwrap<Cache>(env, a.at[0]);
  const int64_t length = a.whole(1, 0, kLongest), pages = a.whole(2, 1, kLongest);
  auto to = from->sibling();
  const auto run = [=](lensor_context* context) {
    check_length(*from, length);
    to->share(*from, length);
    to->read_only(context, engine().ops(), pages);
    return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
  };
  BufferRef done = floats(0);
  napi_value result = make_list(env, {wrap_cache(env, to, from->bytes()), handle(env, done)});
  enqueue({"read pages", {}, {done}, run, nullptr});
  return result;
}

napi_value read_cache(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  const auto cache = unwrap<Cache>(env, a.at[0]);
  const CacheShape& shape = cache->shape();
  const auto layer = static_cast<int32_t>(a.whole(1, 0, shape.layers - 1));
  const int64_t room = a.whole(2, 0, kLongest), behind = a.whole(3, 0, room);
  const int64_t keys_count = shape.kv_heads * room;
  BufferRef keys = floats(keys_count * shape.head_width), values = floats(keys_count * shape.head_width),
            bias = floats(keys_count);
  const auto run = [=](lensor_context* context) {
    cache->read(context, engine().ops(), layer, room, behind, keys->memory.as<float>(),
                values->memory.as<float>(), bias->memory.as<float>());
    return LENSOR_OK;
  };
  enqueue({"read cache", {}, {keys, values, bias}, run, nullptr});
  return make_list(env, {handle(env, keys), handle(env, values), handle(env, bias)});
}

napi_value store_cache(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const auto cache = unwrap<Cache>(env, a.at[0]);
  const auto layer = static_cast<int32_t>(a.whole(1, 0, cache->shape().layers - 1));
  napi_value promise;
  auto settler = make_promise(env, &promise);
  auto bytes = std::make_shared<std::vector<char>>();
  const auto run = [=](lensor_context*) {
    *bytes = cache->store(layer);
    return LENSOR_OK;
  };
  const auto value = [bytes](napi_env env) {
    void* data;
    napi_value buffer = make_array_buffer(env, static_cast<double>(bytes->size()), &data);
    if (!bytes->empty()) std::memcpy(data, bytes->data(), bytes->size());
    return buffer;
  };
  enqueue({"store cache", {}, {}, run, settles(settler, value)});
  return promise;
}

napi_value restore_cache(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 6);
  const auto cache = unwrap<Cache>(env, a.at[0]);
  const CacheShape& shape = cache->shape();
  Cache::Stored stored;
  stored.length = a.whole(1, 0, kLongest), stored.least = a.whole(2, 0, stored.length);
  for (const int32_t kept : a.integers(3)) {
    if (kept < 0) throw Invalid("a number of keys was expected");
    stored.kept.push_back(kept);
  }
  for (napi_value value : a.list(4))
    stored.bias.push_back(is_nothing(env, value) ? std::vector<float>() : floats_of(env, value));
  if (stored.kept.size() != shape.heads() || stored.bias.size() != shape.heads())
    throw Invalid("numbers for each head were expected");
  for (size_t i = 0; i < shape.heads(); i++)
    if (const size_t biased = stored.bias[i].size(); biased && static_cast<int64_t>(biased) != stored.kept[i])
      throw Invalid("a bias for each kept key was expected");
  std::vector<BufferRef> layers;
  for (napi_value value : a.list(5)) layers.push_back(unwrap<Buffer>(env, value));
  if (static_cast<int32_t>(layers.size()) != shape.layers) throw Invalid("all layers were expected");
  BufferRef done = floats(0);
  napi_value result = handle(env, done);
  const auto run = [=](lensor_context*) mutable {
    if (cache->length() != 0) throw std::runtime_error("an empty cache was expected");
    for (const BufferRef& one : layers) stored.layers.emplace_back(one->memory.as<char>(), one->bytes);
    cache->restore(engine().ops(), stored);
    return LENSOR_OK;
  };
  enqueue({"restore cache", layers, {done}, run, nullptr});
  return result;
}

napi_value layer(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 7);
  const auto model = unwrap<Model>(env, a.at[0]);
  const auto cache = unwrap<Cache>(env, a.at[1]);
  check_shape(*model, *cache);
  const ModelSpec& s = model->spec;
  const auto which = static_cast<int32_t>(a.whole(2, 0, s.layers - 1));
  const BufferRef input = unwrap<Buffer>(env, a.at[3]);
  lensor_view stream = read_views(a.doubles(4), {input}).at(0);
  if (stream.rank != 2 || stream.dtype != LENSOR_F32 || !is_contiguous(stream) || stream.shape[1] != s.width)
    throw Invalid("rows of the model's stream were expected");
  const int64_t rows = stream.shape[0], at = a.whole(5, 0, kLongest);
  const bool fast = a.flag(6);
  BufferRef out = floats(rows * s.width), query = floats(rows * s.heads * s.head_width);
  const auto run = [=](lensor_context* context) mutable {
    check_length(*cache, at);
    point_at(stream, *input);
    std::memcpy(out->memory.data(), stream.data, out->bytes);
    Decoder decoder(context, engine().ops(), *model, fast);
    return decoder.layer(*cache, which, out->memory.as<float>(), rows, query->memory.as<float>());
  };
  napi_value result = make_list(env, {handle(env, out), handle(env, query)});
  enqueue({"layer", {input}, {out, query}, run, nullptr});
  return result;
}

napi_value cache_bytes(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  return make_number(env, static_cast<double>(unwrap<Cache>(env, a.at[0])->bytes()));
}

napi_value release_cache(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  let_go(env, handle_of<Cache>(env, a.at[0]));
  return nullptr;
}

} // namespace

void add_caches(napi_env env, napi_value exports) {
  add(env, exports, "newCache", entry<new_cache>);
  add(env, exports, "forkCache", entry<fork_cache>);
  add(env, exports, "chooseKeys", entry<choose_keys>);
  add(env, exports, "readPages", entry<read_pages>);
  add(env, exports, "readCache", entry<read_cache>);
  add(env, exports, "storeCache", entry<store_cache>);
  add(env, exports, "restoreCache", entry<restore_cache>);
  add(env, exports, "layer", entry<layer>);
  add(env, exports, "cacheBytes", entry<cache_bytes>);
  add(env, exports, "releaseCache", entry<release_cache>);
}

} // namespace lensor
