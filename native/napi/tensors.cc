// Tensors across the border: upload, operations, read, release. TypeScript has worked out shapes and types
// and said what is wrong in the person's words; here everything that could reach outside a buffer is checked
// again.
#include "env.h"
#include "view.h"
#include <cstring>

namespace lensor {

namespace {

enum Op { COPY, UNARY, BINARY, WHERE, REDUCE, SOFTMAX, MATMUL, GATHER, CAT, OP_COUNT };
constexpr const char* kNames[] = {"copy",    "unary",  "binary", "where", "reduce",
                                  "softmax", "matmul", "gather", "cat"};
constexpr const char* kUnary[] = {"neg", "abs",  "exp",     "log",  "sqrt", "rsqrt", "sin",
                                  "cos", "tanh", "sigmoid", "relu", "silu", "gelu",  "gelu"};
constexpr const char* kBinary[] = {"add", "sub", "mul", "div", "pow", "maximum", "minimum",
                                   "eq",  "ne",  "lt",  "le",  "gt",  "ge"};
constexpr const char* kReduction[] = {"sum", "mean", "max", "min", "argmax", "argmin"};

std::string name_of(int64_t op, int64_t code) {
  if (op == UNARY) return kUnary[code];
  if (op == BINARY) return kBinary[code];
  if (op == REDUCE) return kReduction[code];
  return kNames[op];
}

void need(bool holds) {
  if (!holds) throw Invalid("the views of this operation do not fit each other");
}

void check_op(int64_t op, int64_t code, const std::vector<lensor_view>& in, const lensor_view& out) {
  const auto count = [&](size_t n) { need(in.size() == n); };
  const auto like_out = [&](const lensor_view& v) { need(v.dtype == out.dtype && same_shape(v, out)); };
  switch (op) {
  case COPY:
    return count(1), need(same_shape(in[0], out));
  case UNARY:
    return need(code < LENSOR_UNARY_COUNT), count(1), like_out(in[0]);
  case BINARY:
    need(code < LENSOR_BINARY_COUNT), count(2);
    need(in[0].dtype == in[1].dtype && same_shape(in[0], out) && same_shape(in[1], out));
    return need(out.dtype == (code >= LENSOR_EQ ? int32_t(LENSOR_BOOL) : in[0].dtype));
  case WHERE:
    return count(3), need(in[0].dtype == LENSOR_BOOL && same_shape(in[0], out)), like_out(in[1]),
           like_out(in[2]);
  case REDUCE:
    need(code < LENSOR_REDUCTION_COUNT), count(1);
    need(in[0].rank == 2 && is_contiguous(in[0]) && out.rank == 1 && out.shape[0] == in[0].shape[0]);
    return need(code >= LENSOR_ARGMAX ? out.dtype == LENSOR_I64 : out.dtype == in[0].dtype);
  case SOFTMAX:
    return count(1), like_out(in[0]), need(in[0].rank == 2 && is_contiguous(in[0]));
  case MATMUL:
    count(2);
    for (const auto& v : in)
      need(v.rank == 3 && v.dtype == out.dtype && is_contiguous(v) && v.shape[0] == in[0].shape[0]);
    return need(out.rank == 3 && out.shape[0] == in[0].shape[0] && out.shape[1] == in[0].shape[1] &&
                in[0].shape[2] == in[1].shape[1] && out.shape[2] == in[1].shape[2]);
  case GATHER:
    count(2),
        need(in[0].rank >= 1 && is_contiguous(in[0]) && in[0].dtype == out.dtype && out.rank == in[0].rank);
    need(in[1].rank == 1 && in[1].dtype == LENSOR_I64 && is_contiguous(in[1]) &&
         in[1].shape[0] == out.shape[0]);
    for (int32_t d = 1; d < out.rank; d++) need(out.shape[d] == in[0].shape[d]);
    return;
  case CAT: {
    need(code < out.rank);
    int64_t sum = 0;
    for (const auto& v : in) {
      need(v.rank == out.rank && v.dtype == out.dtype);
      for (int32_t d = 0; d < out.rank; d++) need(d == code || v.shape[d] == out.shape[d]);
      sum += v.shape[code];
    }
    return need(sum == out.shape[code]);
  }
  }
}

lensor_status cat(lensor_context* context, const lensor_ops* ops, int64_t axis,
                  const std::vector<lensor_view>& in, const lensor_view& out) {
  lensor_view part = out;
  char* at = static_cast<char*>(out.data);
  for (const auto& v : in) {
    part.shape[axis] = v.shape[axis];
    part.data = at;
    if (const auto status = ops->copy(context, &v, &part)) return status;
    at += v.shape[axis] * out.stride[axis] * dtype_bytes(out.dtype);
  }
  return LENSOR_OK;
}

lensor_status dispatch(lensor_context* context, int64_t op, int64_t code, const std::vector<lensor_view>& in,
                       const lensor_view& out) {
  const lensor_ops* ops = engine().ops();
  if (count_of(out) == 0 && op != REDUCE) return LENSOR_OK;
  switch (op) {
  case COPY:
    return ops->copy(context, &in[0], &out);
  case UNARY:
    return ops->unary(context, static_cast<lensor_unary>(code), &in[0], &out);
  case BINARY:
    return ops->binary(context, static_cast<lensor_binary>(code), &in[0], &in[1], &out);
  case WHERE:
    return ops->where(context, &in[0], &in[1], &in[2], &out);
  case REDUCE:
    return ops->reduce(context, static_cast<lensor_reduction>(code), &in[0], &out);
  case SOFTMAX:
    return ops->softmax(context, &in[0], &out, code != 0);
  case MATMUL:
    return ops->matmul(context, &in[0], &in[1], &out);
  case GATHER:
    return ops->gather(context, &in[0], &in[1], &out);
  default:
    return cat(context, ops, code, in, out);
  }
}

// Views whose `data` is filled in once the buffers hold memory.
void point(std::vector<lensor_view>& views, const std::vector<BufferRef>& buffers) {
  for (size_t i = 0; i < views.size(); i++) point_at(views[i], *buffers[i]);
}

napi_value op(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 6);
  const int64_t kind = a.whole(0, 0, OP_COUNT - 1), code = a.whole(1, 0, 63),
                dtype = a.whole(2, 0, LENSOR_BOOL);
  lensor_view out = contiguous_view(static_cast<int32_t>(dtype), a.numbers(3));
  std::vector<BufferRef> buffers;
  for (napi_value value : a.list(4)) buffers.push_back(unwrap<Buffer>(env, value));
  std::vector<lensor_view> views = read_views(a.doubles(5), buffers);
  check_op(kind, code, views, out);

  auto result = std::make_shared<Buffer>(count_of(out) * dtype_bytes(out.dtype));
  napi_value handle = wrap<Buffer>(env, result, static_cast<int64_t>(result->bytes));
  const auto run = [=](lensor_context* context) mutable {
    point(views, buffers);
    point_at(out, *result);
    return dispatch(context, kind, code, views, out);
  };
  enqueue({name_of(kind, code), buffers, {result}, run, nullptr});
  return handle;
}

napi_value top_k(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 3);
  const int64_t k = a.whole(0, 0, int64_t{1} << 40);
  const BufferRef input = unwrap<Buffer>(env, a.at[1]);
  std::vector<lensor_view> views = read_views(a.doubles(2), {input});
  need(views.size() == 1 && views[0].rank == 2 && is_contiguous(views[0]) && k <= views[0].shape[1]);
  lensor_view values = contiguous_view(views[0].dtype, {views[0].shape[0], k});
  lensor_view indices = contiguous_view(LENSOR_I64, {views[0].shape[0], k});
  auto first = std::make_shared<Buffer>(count_of(values) * dtype_bytes(values.dtype));
  auto second = std::make_shared<Buffer>(count_of(indices) * 8);
  napi_value pair;
  check(napi_create_array_with_length(env, 2, &pair));
  check(napi_set_element(env, pair, 0, wrap<Buffer>(env, first, static_cast<int64_t>(first->bytes))));
  check(napi_set_element(env, pair, 1, wrap<Buffer>(env, second, static_cast<int64_t>(second->bytes))));
  const auto run = [=](lensor_context* context) mutable {
    if (count_of(values) == 0) return LENSOR_OK;
    point_at(views[0], *input), point_at(values, *first), point_at(indices, *second);
    return engine().ops()->top_k(context, &views[0], &values, &indices);
  };
  enqueue({"topK", {input}, {first, second}, run, nullptr});
  return pair;
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
  buffer->memory = Block(bytes);
  if (bytes) std::memcpy(buffer->memory.data(), data, bytes);
  return wrap<Buffer>(env, buffer, static_cast<int64_t>(bytes));
}

napi_value read(napi_env env, napi_callback_info info) {
  Arguments a(env, info, 2);
  const BufferRef input = unwrap<Buffer>(env, a.at[0]);
  std::vector<lensor_view> views = read_views(a.doubles(1), {input});
  need(views.size() == 1);
  lensor_view out = contiguous_view(views[0].dtype, {views[0].shape, views[0].shape + views[0].rank});
  napi_value array, promise;
  // The executor writes straight into what JavaScript gets; a reference keeps it until then.
  check(napi_create_arraybuffer(env, count_of(out) * dtype_bytes(out.dtype), &out.data, &array));
  napi_ref reference;
  check(napi_create_reference(env, array, 1, &reference));
  auto settler = make_promise(env, &promise);
  const auto run = [=](lensor_context* context) mutable {
    if (count_of(out) == 0) return LENSOR_OK;
    point(views, {input});
    return while_open(settler, [&] { return engine().ops()->copy(context, &views[0], &out); });
  };
  const auto value = [reference](napi_env env) {
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
  add(env, exports, "op", entry<op>);
  add(env, exports, "topK", entry<top_k>);
  add(env, exports, "read", entry<read>);
  add(env, exports, "release", entry<release>);
  add(env, exports, "drain", entry<drain>);
}

} // namespace lensor
