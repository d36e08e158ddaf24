// Signatures of texts across the border. Meanings: lib/native.ts.
#include "../data/sketches.h"
#include "../cpu/dispatch.h"
#include "env.h"
#include <algorithm>
#include <cstring>

namespace lensor {

namespace {

constexpr int64_t kMostDocuments = int64_t{1} << 31;

template <typename T> std::vector<T> values(napi_env env, napi_value value, napi_typedarray_type wanted) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  check(napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr));
  if (type != wanted) throw Invalid("a typed array of another kind was expected");
  std::vector<T> copy(length);
  if (length) std::memcpy(copy.data(), data, length * sizeof(T));
  return copy;
}

// Pairs of lines: a spelling, and its words.
void tell(Sketches& sketches, const std::vector<char>& lines,
          void (Spelling::*how)(std::string_view, std::string_view)) {
  std::string_view rest(lines.data(), lines.size());
  const auto line = [&] {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view found = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return found;
  };
  while (!rest.empty()) {
    const std::string_view spelt = line();
    (sketches.spelling.*how)(spelt, line());
  }
}

napi_value new_sketches(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 8);
  SketchSpec spec;
  spec.bands = static_cast<int32_t>(a.whole(0, 1, 1024));
  spec.rows = static_cast<int32_t>(a.whole(1, 1, 1024));
  spec.gram = static_cast<int32_t>(a.whole(2, 1, 1024));
  spec.compared = a.flag(3);
  const auto numbers = values<uint64_t>(env, a.at[4], napi_biguint64_array);
  const size_t functions = spec.functions();
  if (numbers.size() != 2 * functions) throw Invalid("two numbers for each function were expected");
  spec.a.assign(numbers.begin(), numbers.begin() + functions);
  spec.b.assign(numbers.begin() + functions, numbers.end());
  auto sketches = std::make_shared<Sketches>(std::move(spec));
  sketches->spelling.entries = values<uint32_t>(env, a.at[5], napi_uint32_array);
  const auto replacements = values<char>(env, a.at[6], napi_uint8_array);
  sketches->spelling.replacements.assign(replacements.begin(), replacements.end());
  for (const uint32_t entry : sketches->spelling.entries)
    if ((entry >> 4 & 15) && (entry >> 8) + (entry >> 4 & 15) > replacements.size())
      throw Invalid("a replacement lies outside of them");
  sketches->spelling.settle();
  tell(*sketches, values<char>(env, a.at[7], napi_uint8_array), &Spelling::tell_plain);
  return wrap<Sketches>(env, std::move(sketches), 0);
}

napi_value tell_sketches(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const auto sketches = unwrap<Sketches>(env, a.at[0]);
  auto lines = std::make_shared<std::vector<char>>(values<char>(env, a.at[1], napi_uint8_array));
  const auto run = [=](lensor_context*) {
    tell(*sketches, *lines, &Spelling::tell);
    return LENSOR_OK;
  };
  enqueue({"dedup", {}, {}, run, nullptr});
  return nullptr;
}

struct Answer {
  std::vector<Sketched> became;
  std::vector<std::string> unknown;
  std::vector<uint64_t> signatures;
};

napi_value bytes_of(napi_env env, const void* from, size_t bytes, napi_typedarray_type type, size_t count) {
  void* data;
  napi_value array, buffer = make_array_buffer(env, static_cast<double>(bytes), &data);
  if (bytes) std::memcpy(data, from, bytes);
  check(napi_create_typedarray(env, type, count, buffer, 0, &array));
  return array;
}

napi_value told(napi_env env, const Answer& answer) {
  std::string lines;
  for (const std::string& one : answer.unknown) lines += one + "\n";
  const auto& s = answer.signatures;
  const auto& became = answer.became;
  return make_object(
      env, {{"became", bytes_of(env, became.data(), became.size(), napi_uint8_array, became.size())},
            {"unknown", bytes_of(env, lines.data(), lines.size(), napi_uint8_array, lines.size())},
            {"signatures", bytes_of(env, s.data(), s.size() * 8, napi_biguint64_array, s.size())}});
}

napi_value sketch(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 4);
  const auto sketches = unwrap<Sketches>(env, a.at[0]);
  auto texts = std::make_shared<Texts>();
  texts->bytes = values<char>(env, a.at[1], napi_uint8_array);
  int64_t before = 0;
  for (const double end : a.doubles(2)) {
    if (!(end >= before && end <= static_cast<double>(texts->bytes.size())))
      throw Invalid("the ends of the texts are not in order");
    texts->ends.push_back(before = static_cast<int64_t>(end));
  }
  auto ids = std::make_shared<std::vector<int64_t>>();
  const bool kept = !is_nothing(env, a.at[3]);
  if (kept)
    for (const double id : a.doubles(3)) {
      if (!(id >= 0 && id < kMostDocuments)) throw Invalid("impossible number of a document");
      ids->push_back(static_cast<int64_t>(id));
    }
  if (kept && static_cast<int64_t>(ids->size()) != texts->count())
    throw Invalid("a number for each text was expected");
  napi_value promise;
  auto settler = make_promise(env, &promise);
  auto answer = std::make_shared<Answer>();
  const auto run = [=](lensor_context* context) {
    const TextKernels& kernels = text_kernels(engine().ops());
    if (kept) return sketches->add(context, kernels, *texts, *ids, answer->became, answer->unknown);
    answer->signatures.resize(texts->count() * sketches->spec().functions());
    return sketches->signatures(context, kernels, *texts, answer->signatures.data(), answer->became,
                                answer->unknown);
  };
  enqueue({"dedup", {}, {}, run, settles(settler, [answer](napi_env env) { return told(env, *answer); })});
  return promise;
}

napi_value cluster(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const auto sketches = unwrap<Sketches>(env, a.at[0]);
  const double least = a.number(1);
  if (!(least >= 0 && least <= 1)) throw Invalid("a part from 0 to 1 was expected");
  if (least > 0 && !sketches->spec().compared) throw Invalid("the signatures were not kept");
  napi_value promise;
  auto settler = make_promise(env, &promise);
  auto first = std::make_shared<std::vector<int32_t>>();
  const auto run = [=](lensor_context* context) { return sketches->clusters(context, least, *first); };
  enqueue({"dedup", {}, {}, run, settles(settler, [first](napi_env env) {
             return bytes_of(env, first->data(), first->size() * 4, napi_int32_array, first->size());
           })});
  return promise;
}

napi_value release_sketches(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 1);
  let_go(env, handle_of<Sketches>(env, a.at[0]));
  return nullptr;
}

} // namespace

void add_sketches(napi_env env, napi_value exports) {
  add(env, exports, "newSketches", entry<new_sketches>);
  add(env, exports, "tellSketches", entry<tell_sketches>);
  add(env, exports, "sketch", entry<sketch>);
  add(env, exports, "cluster", entry<cluster>);
  add(env, exports, "releaseSketches", entry<release_sketches>);
}

} // namespace lensor
