// Attention over packed sequences: q [T, heads, d], k and v [S, kv heads, d], any strides with the last 1;
// then a bias [kv heads, S] where there is one. Results: out [T, heads, d], the log-sum-exp [heads, T], and
// where they are asked for entropy [heads, T] and mass [heads, S].
//   params: causal, window, scale, compute, bias, entropy, mass, counted,
//   then the offsets of the sequences in q and in k; where `counted` is the number of kv heads and not 0,
//   then [sequences, kv heads]: of how many keys each has
// Received: q, k and a bias as above, params as above but `mass` 1 for the sum and 2 for the largest of the
// weights that each key receives: [heads, S].
#include "../algebra.h"
#include "../tape.h"
#include "all.h"
#include <utility>

namespace lensor::ops {

namespace {

constexpr size_t kOptions = 8;

struct Options {
  bool causal, bias, entropy, mass;
  int64_t window;
  float scale;
  int32_t compute;
  int64_t counted;
  std::vector<int64_t> q_offsets, k_offsets, key_count;
};

Options options_of(const std::vector<double>& params) {
  need(params.size() >= kOptions + 4 && params[7] >= 0 && params[7] < 1 << 16);
  Options o{params[0] != 0,
            params[4] != 0,
            params[5] != 0,
            params[6] != 0,
            static_cast<int64_t>(params[1]),
            static_cast<float>(params[2]),
            static_cast<int>(params[3]) == LENSOR_BF16 ? LENSOR_BF16 : LENSOR_F32,
            static_cast<int64_t>(params[7]),
            {},
            {},
            {}};
  // Two lists of sequences + 1, one of sequences * counted.
  const size_t rest = params.size() - kOptions - 2, each = 2 + static_cast<size_t>(o.counted);
  need(rest % each == 0);
  auto at = params.begin() + kOptions;
  const auto take = [&](std::vector<int64_t>& list, size_t count) {
    list.assign(at, at + static_cast<std::ptrdiff_t>(count));
    at += static_cast<std::ptrdiff_t>(count);
  };
  take(o.q_offsets, rest / each + 1);
  take(o.k_offsets, rest / each + 1);
  take(o.key_count, rest / each * static_cast<size_t>(o.counted));
  return o;
}

void need_offsets(const std::vector<int64_t>& offsets, int64_t rows) {
  need(offsets.front() == 0 && offsets.back() == rows);
  for (size_t i = 1; i < offsets.size(); i++) need(offsets[i] >= offsets[i - 1]);
}

void need_heads(const lensor_view& x, int32_t dtype) {
  need(x.rank == 3 && x.dtype == dtype && (dtype == LENSOR_F32 || dtype == LENSOR_BF16));
  need(x.shape[2] > 0 && (x.stride[2] == 1 || x.shape[2] == 1));
}

void check_inputs(const Call& call, const Options& o, size_t values = 2) {
  const lensor_view &q = call.in[0].view, &k = call.in[1].view, &v = call.in[values].view;
  for (const lensor_view* x : {&q, &k, &v}) need_heads(*x, q.dtype);
  need(same_shape(k, v) && q.shape[2] == k.shape[2] && k.shape[1] > 0 && q.shape[1] % k.shape[1] == 0);
  need(o.window >= 0 && o.window < int64_t{1} << 48);
  need_offsets(o.q_offsets, q.shape[0]);
  need_offsets(o.k_offsets, k.shape[0]);
  need(o.counted == 0 || o.counted == k.shape[1]);
  for (size_t i = 0; i < o.key_count.size(); i++) {
    const size_t n = i / static_cast<size_t>(o.counted);
    need(o.key_count[i] >= 0 && o.key_count[i] <= o.k_offsets[n + 1] - o.k_offsets[n]);
  }
}

void need_matrix(const Tensor& x, int64_t rows, int64_t cols) {
  need(x.view.rank == 2 && x.dtype() == LENSOR_F32 && is_contiguous(x.view) && x.view.shape[0] == rows &&
       x.view.shape[1] == cols);
}

void check_attention(const Call& call) {
  const Options o = options_of(call.params);
  need(call.in.size() == 3u + o.bias && call.out.size() == 2u + o.entropy + o.mass);
  check_inputs(call, o);
  const lensor_view &q = call.in[0].view, &k = call.in[1].view;
  if (o.bias) need_matrix(call.in[3], k.shape[1], k.shape[0]);
  need(same_shape(q, call.out[0].view) && call.out[0].dtype() == q.dtype && is_contiguous(call.out[0].view));
  need_matrix(call.out[1], q.shape[1], q.shape[0]);
  if (o.entropy) need_matrix(call.out[2], q.shape[1], q.shape[0]);
  if (o.mass) need_matrix(call.out[2 + o.entropy], q.shape[1], k.shape[0]);
}

lensor_heads heads_of(const lensor_view& x) { return {x.data, x.stride[0], x.stride[1]}; }

lensor_flash flash_of(const Options& o, const lensor_view& q, const lensor_view& k) {
  lensor_flash flash{};
  flash.heads = static_cast<int32_t>(q.shape[1]);
  flash.kv_heads = static_cast<int32_t>(k.shape[1]);
  flash.head_width = static_cast<int32_t>(q.shape[2]);
  flash.dtype = q.dtype;
  flash.compute = o.compute;
  flash.causal = o.causal;
  flash.window = o.window;
  flash.sequences = static_cast<int64_t>(o.q_offsets.size()) - 1;
  flash.q_offsets = o.q_offsets.data();
  flash.k_offsets = o.k_offsets.data();
  flash.key_count = o.counted ? o.key_count.data() : nullptr;
  flash.q = heads_of(q), flash.k = heads_of(k);
  flash.scale = o.scale;
  return flash;
}

lensor_flash flash_of(const Options& o, const lensor_view& q, const lensor_view& k, const lensor_view& v,
                      const lensor_view& out, const lensor_view& lse) {
  lensor_flash flash = flash_of(o, q, k);
  flash.v = heads_of(v), flash.out = heads_of(out);
  flash.log_sum_exp = static_cast<float*>(lse.data);
  return flash;
}

lensor_status run_attention(const Running& r) {
  const Options o = options_of(r.params);
  lensor_flash flash = flash_of(o, r.in[0], r.in[1], r.in[2], r.out[0], r.out[1]);
  if (o.bias) flash.key_bias = static_cast<const float*>(r.in[3].data);
  if (o.entropy) flash.entropy = static_cast<float*>(r.out[2].data);
  if (o.mass) flash.mass = static_cast<float*>(r.out[2 + o.entropy].data);
  return r.ops->flash(r.context, &flash);
}

void check_received(const Call& call) {
  const Options o = options_of(call.params);
  need(o.mass && !o.entropy && call.in.size() == 2u + o.bias && call.out.size() == 1);
  check_inputs(call, o, 1);
  const lensor_view &q = call.in[0].view, &k = call.in[1].view;
  if (o.bias) need_matrix(call.in[2], k.shape[1], k.shape[0]);
  need_matrix(call.out[0], q.shape[1], k.shape[0]);
}

lensor_status run_received(const Running& r) {
  const Options o = options_of(r.params);
  lensor_flash flash = flash_of(o, r.in[0], r.in[1]);
  if (o.bias) flash.key_bias = static_cast<const float*>(r.in[2].data);
  flash.mass = static_cast<float*>(r.out[0].data);
  flash.mass_largest = r.params[6] == 2;
  return r.ops->flash(r.context, &flash);
}

// In: q, k, v, out, log-sum-exp, d out, bias. Out: dq, dk, dv, d bias.
void check_attention_grad(const Call& call) {
  const Options o = options_of(call.params);
  need(call.in.size() == 6u + o.bias && call.out.size() == 3u + o.bias);
  check_inputs(call, o);
  const lensor_view &q = call.in[0].view, &k = call.in[1].view;
  for (size_t i : {3, 5}) {
    need_heads(call.in[i].view, q.dtype);
    need(same_shape(call.in[i].view, q));
  }
  need_matrix(call.in[4], q.shape[1], q.shape[0]);
  for (size_t i = 0; i < 3; i++)
    need_heads(call.out[i].view, q.dtype), need(same_shape(call.in[i].view, call.out[i].view));
  if (o.bias)
    need_matrix(call.in[6], k.shape[1], k.shape[0]), need_matrix(call.out[3], k.shape[1], k.shape[0]);
}

lensor_status run_attention_grad(const Running& r) {
  const Options o = options_of(r.params);
  lensor_flash flash = flash_of(o, r.in[0], r.in[1], r.in[2], r.in[3], r.in[4]);
  if (o.bias) flash.key_bias = static_cast<const float*>(r.in[6].data);
  lensor_flash_grad grad{};
  grad.of = &flash;
  grad.out = heads_of(r.in[5]);
  grad.q = heads_of(r.out[0]), grad.k = heads_of(r.out[1]), grad.v = heads_of(r.out[2]);
  if (o.bias) grad.key_bias = static_cast<float*>(r.out[3].data);
  return r.ops->flash_grad(r.context, &grad);
}

// A gradient of x. Where x has its heads one after the other, so has this: a leaf of that form takes it as it
// is.
Tensor gradient_of(const Tensor& x) {
  const lensor_view& v = x.view;
  if (v.stride[1] < v.stride[0]) return make_tensor(x.dtype(), x.shape());
  Tensor gradient = make_tensor(x.dtype(), {v.shape[1], v.shape[0], v.shape[2]});
  std::swap(gradient.view.shape[0], gradient.view.shape[1]);
  std::swap(gradient.view.stride[0], gradient.view.stride[1]);
  return gradient;
}

void attention_gradient(Backward& b) {
  const bool bias = b.param(4) != 0;
  for (size_t i = 1; i < 2u + (b.param(5) != 0) + (b.param(6) != 0); i++)
    if (b.has_grad(i))
      throw Invalid("backward: attention's statistics have no gradient. Use its result, or detach() them.");
  Tensor g = b.grad();
  if (g.view.stride[2] != 1) g = contiguous(g);
  std::vector<Tensor> in{b.in(0), b.in(1), b.in(2), b.out(0), b.out(1), g}, out;
  if (bias) in.push_back(b.in(3));
  for (size_t i = 0; i < 3; i++) out.push_back(gradient_of(in[i]));
  if (bias) out.push_back(make_tensor(LENSOR_F32, in[6].shape()));
  const auto made = invoke(kAttentionGrad, in, b.node().params, out);
  for (size_t i = 0; i < made.size(); i++) b.give(i, made[i]);
}

} // namespace

const Op kAttention{
    .name = "attention",
    .check = check_attention,
    .run = run_attention,
    .gradient = attention_gradient,
    .keeps = [](const Call&) { return kInput * 15 | kResult * 3; }, // q, k, v, bias; out, log-sum-exp
};
const Op kReceived{.name = "received", .check = check_received, .run = run_received};
const Op kAttentionGrad{.name = "attentionGrad", .check = check_attention_grad, .run = run_attention_grad};

} // namespace lensor::ops
