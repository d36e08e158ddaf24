// A decoder's layers in one region, against the same formulas in double, and the same bits for one row and
// for many, in each numeric mode and on any number of threads.
#include "../../native/quant/panel.h"
#include "tolerance.h"
#include <memory>

using namespace lensor;
using namespace lensor::test;

namespace {

// Two layers of F32 weights (Q4_1 made of noise where `quantized`), and a head.
struct Decoder {
  int32_t heads = 4, kv_heads = 2, d = 24, layers = 2;
  int64_t width = 96, ff, vocabulary = 51, most = 140;
  std::vector<std::vector<float>> values; // F32 alone: [matrix][rows * cols]
  std::vector<std::vector<uint8_t>> packed;
  std::vector<lensor_weight> weights;
  std::vector<float> gains, cos, sin, stream;
  // Beside each matrix of a layer, where there are any: of rank 3 and of rank 9, with gains, an input for the
  // last one's.
  struct Learnt {
    std::vector<float> down[2], up[2], gain, input; // [rank][cols], [rows][rank]
    std::vector<float> packed[4];
    lensor_adapter each[2];
  };
  std::vector<std::unique_ptr<Learnt>> learnt;
  std::vector<lensor_adapters> beside;

  Decoder(const lensor_ops& ops, bool quantized, bool adapted = false)
      : ff(quantized ? 160 : 77), gains(noise(width, 70)) {
    const int64_t q = heads * d, kv = kv_heads * d;
    for (int32_t i = 0; i < layers; i++)
      for (const auto& [rows, cols] : std::initializer_list<std::pair<int64_t, int64_t>>{
               {q, width}, {kv, width}, {kv, width}, {width, q}, {ff, width}, {ff, width}, {width, ff}})
        add(ops, rows, cols, quantized);
    add(ops, vocabulary, width, quantized);
    for (auto& weight : weights) weight.data = packed[&weight - weights.data()].data();
    for (float& g : gains) g += 2;
    for (float a : noise(most * (d / 2), 71)) cos.push_back(std::cos(a)), sin.push_back(std::sin(a));
    stream = noise(most * width, 72);
    for (int32_t i = 0; adapted && i < layers * LENSOR_ADAPTED; i++) adapt(i);
  }
  void adapt(int32_t i) {
    const lensor_weight& w = weights[i];
    learnt.push_back(std::make_unique<Learnt>());
    Learnt& one = *learnt.back();
    const int64_t wide = (w.rows + 15) / 16 * 16;
    for (int n = 0; n < 2; n++) {
      const int32_t rank = n ? 9 : 3;
      one.down[n] = noise(rank * w.cols, 200 + 4 * i + n), one.up[n] = noise(rank * w.rows, 202 + 4 * i + n);
      for (float& x : one.up[n]) x *= 0.05f;
      const auto panels = [&](std::vector<float>& to, int64_t count, auto at) -> const float* {
        to.resize((count + 15) / 16 * 16 * rank);
        for (int64_t c = 0; c < count; c++)
          for (int64_t r = 0; r < rank; r++) to[(c / 16 * rank + r) * 16 + c % 16] = at(c, r);
        return to.data();
      };
      one.each[n] = {
          rank, 0.5f,
          panels(one.packed[n], w.cols, [&](int64_t k, int64_t r) { return one.down[n][r * w.cols + k]; }),
          panels(one.packed[2 + n], w.rows, [&](int64_t o, int64_t r) { return one.up[n][o * rank + r]; }),
          nullptr};
    }
    one.gain = noise(wide, 300 + i), one.input = noise(w.cols, 400 + i);
    for (float& x : one.gain) x = 1 + 0.2f * x;
    for (float& x : one.input) x = 1 + 0.2f * x;
    one.each[0].gain = one.gain.data();
    const bool reads = i % LENSOR_ADAPTED == LENSOR_DOWN;
    // Keys of the second layer stand alone.
    const int32_t count = i == LENSOR_ADAPTED + LENSOR_KEY ? 0 : 2;
    beside.push_back({one.each, count, count ? 12 : 0, reads ? one.input.data() : nullptr});
  }
  void add(const lensor_ops& ops, int64_t rows, int64_t cols, bool quantized) {
    const int32_t dtype = quantized ? LENSOR_Q4_1 : LENSOR_F32;
    auto x = noise(rows * cols, 80 + weights.size());
    for (float& w : x) w *= 0.2f;
    const size_t bytes = row_bytes(dtype, cols);
    std::vector<uint8_t> file(rows * bytes);
    if (!quantized) std::memcpy(file.data(), x.data(), file.size());
    for (size_t i = 0; quantized && i < file.size(); i++) {
      // Blocks of 20 bytes: a scale of about 1/64, a minimum of about -1/8, nibbles.
      const size_t at = i % 20;
      file[i] = at == 1 ? 0x24 : at == 3 ? 0xb0 : static_cast<uint8_t>(x[i % x.size()] * 600);
    }
    packed.emplace_back(ops.weight_bytes(dtype, rows, cols));
    weights.push_back({dtype, rows, cols, packed.back().data()});
    std::vector<const void*> list;
    for (int64_t r = 0; r < rows; r++) list.push_back(file.data() + r * bytes);
    ops.weight_pack(&weights.back(), list.data(), 0, (rows + 15) / 16);
    values.push_back(std::move(x));
  }
  const lensor_weight* at(int32_t layer, int part) const { return &weights[7 * layer + part]; }
};

struct Result {
  std::vector<float> stream, logits;
};

// The first `total` rows, `step` at a time through a cache of its own.
Result run(const lensor_ops& ops, lensor_context* context, const Decoder& m, int64_t total, int64_t step,
           bool fast, int32_t kv_dtype, lensor_status wanted = LENSOR_OK) {
  const int64_t pages = (total + LENSOR_PAGE - 1) / LENSOR_PAGE;
  const size_t page = LENSOR_PAGE * (32 * 4 + 4);
  std::vector<std::vector<uint8_t>> memory(2 * m.layers * m.kv_heads * pages, std::vector<uint8_t>(page));
  std::vector<lensor_kv_page> all;
  for (size_t i = 0; i < memory.size(); i += 2)
    all.push_back({memory[i].data(), memory[i + 1].data(), LENSOR_PAGE});
  std::vector<lensor_kv_head> heads;
  for (size_t i = 0; i < all.size(); i += pages) heads.push_back({&all[i], 0, nullptr, 0});
  std::vector<lensor_layer> layers;
  std::vector<const lensor_adapters*> besides;
  for (int32_t i = 0; i < m.layers && !m.beside.empty(); i++)
    besides.push_back(&m.beside[i * LENSOR_ADAPTED]);
  for (int32_t i = 0; i < m.layers; i++)
    layers.push_back({m.gains.data(), m.gains.data(), m.at(i, 0), m.at(i, 1), m.at(i, 2), m.at(i, 3),
                      m.at(i, 4), m.at(i, 5), m.at(i, 6), &heads[i * m.kv_heads],
                      m.beside.empty() ? nullptr : &besides[i]});
  Result result{{}, std::vector<float>(m.vocabulary)};
  for (int64_t at = 0; at < total; at += step) {
    const int64_t rows = std::min(step, total - at), q = m.heads * m.d, kv = m.kv_heads * m.d;
    std::vector<std::vector<float>> floats;
    const auto take = [&](int64_t count) { return floats.emplace_back(count).data(); };
    const auto forms = [&](int64_t cols) {
      lensor_activations a{};
      a.q8 = reinterpret_cast<int8_t*>(take(rows * cols)),
      a.q16 = reinterpret_cast<int16_t*>(take(rows * cols));
      a.scale8 = take(rows * cols), a.part8 = take(rows * cols), a.total8 = take(rows * cols),
      a.scale16 = take(rows * cols);
      return a;
    };
    std::vector<float> stream(m.stream.begin() + at * m.width, m.stream.begin() + (at + rows) * m.width);
    for (auto& head : heads) head.count = at + rows;
    lensor_pass pass{};
    pass.heads = m.heads, pass.kv_heads = m.kv_heads, pass.head_width = m.d, pass.kv_dtype = kv_dtype;
    pass.width = m.width, pass.feed_forward = m.ff, pass.epsilon = 1e-5f, pass.fast = fast;
    pass.rows = rows;
    pass.cos = &m.cos[at * (m.d / 2)], pass.sin = &m.sin[at * (m.d / 2)];
    pass.layers = layers.data(), pass.count = m.layers, pass.stream = stream.data();
    pass.norm = take(rows * m.width), pass.q = take(rows * q), pass.mix = take(rows * q);
    pass.k = take(rows * kv), pass.v = take(rows * kv), pass.gate = take(rows * m.ff),
    pass.up = take(rows * m.ff);
    pass.inner_width = 12, pass.inner = take(rows * 3 * pass.inner_width);
    pass.rounded = forms(std::max(m.width, q)), pass.gated = forms(m.ff);
    pass.final_norm = m.gains.data(), pass.head = &m.weights.back();
    pass.logits = at + rows == total ? result.logits.data() : nullptr;
    CHECK_EQ(ops.layers(context, &pass), wanted);
    result.stream.insert(result.stream.end(), stream.begin(), stream.end());
  }
  return result;
}

using Rows = std::vector<std::vector<double>>;

std::vector<double> product(const std::vector<float>& w, const std::vector<double>& x) {
  std::vector<double> out(w.size() / x.size());
  for (size_t r = 0; r < out.size(); r++)
    for (size_t k = 0; k < x.size(); k++) out[r] += w[r * x.size() + k] * x[k];
  return out;
}

std::vector<double> normed(const Decoder& m, const std::vector<double>& x) {
  double sum = 0;
  for (double v : x) sum += v * v;
  std::vector<double> out;
  for (size_t i = 0; i < x.size(); i++) out.push_back(x[i] / std::sqrt(sum / x.size() + 1e-5) * m.gains[i]);
  return out;
}

// What matrix i makes of x, with what stands beside it.
std::vector<double> adapted(const Decoder& m, int32_t i, const std::vector<double>& x) {
  if (m.beside.empty() || !m.beside[i].count) return product(m.values[i], x);
  const Decoder::Learnt& one = *m.learnt[i];
  std::vector<double> scaled = x;
  for (size_t k = 0; m.beside[i].input && k < x.size(); k++) scaled[k] *= one.input[k];
  auto y = product(m.values[i], scaled);
  for (int n = 0; n < 2; n++) {
    const auto inner = product(one.down[n], x);
    for (size_t o = 0; o < y.size(); o++) {
      for (size_t r = 0; r < inner.size(); r++) y[o] += 0.5 * one.up[n][o * inner.size() + r] * inner[r];
      if (n == 0) y[o] *= one.gain[o];
    }
  }
  return y;
}

void turn(const Decoder& m, std::vector<double>& x, int64_t t) {
  const int half = m.d / 2;
  for (size_t h = 0; h < x.size(); h += m.d)
    for (int i = 0; i < half; i++) {
      const double c = m.cos[t * half + i], s = m.sin[t * half + i], a = x[h + i], b = x[h + half + i];
      x[h + i] = a * c - b * s;
      x[h + half + i] = b * c + a * s;
    }
}

// The stream after all layers, in double.
Rows expected(const Decoder& m, int64_t total) {
  Rows x(total);
  for (int64_t t = 0; t < total; t++)
    x[t].assign(m.stream.begin() + t * m.width, m.stream.begin() + (t + 1) * m.width);
  const auto add = [](std::vector<double>& to, const std::vector<double>& y) {
    for (size_t i = 0; i < to.size(); i++) to[i] += y[i];
  };
  for (int32_t layer = 0; layer < m.layers; layer++) {
    const auto product = [&](int part, const std::vector<double>& x) {
      return adapted(m, LENSOR_ADAPTED * layer + part, x);
    };
    Rows k(total), v(total);
    for (int64_t t = 0; t < total; t++) {
      const auto n = normed(m, x[t]);
      auto q = product(LENSOR_QUERY, n);
      k[t] = product(LENSOR_KEY, n), v[t] = product(LENSOR_VALUE, n);
      turn(m, q, t), turn(m, k[t], t);
      std::vector<double> mix(q.size());
      for (int32_t h = 0; h < m.heads; h++) {
        const int32_t g = h / (m.heads / m.kv_heads);
        std::vector<double> s(t + 1);
        double sum = 0;
        for (int64_t j = 0; j <= t; j++) {
          for (int i = 0; i < m.d; i++) s[j] += q[h * m.d + i] * k[j][g * m.d + i];
          sum += s[j] = std::exp(s[j] / std::sqrt(m.d));
        }
        for (int64_t j = 0; j <= t; j++)
          for (int i = 0; i < m.d; i++) mix[h * m.d + i] += s[j] / sum * v[j][g * m.d + i];
      }
      add(x[t], product(LENSOR_OUTPUT, mix));
      auto gate = product(LENSOR_GATE, normed(m, x[t]));
      const auto up = product(LENSOR_UP, normed(m, x[t]));
      for (size_t i = 0; i < gate.size(); i++) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
      add(x[t], product(LENSOR_DOWN, gate));
    }
  }
  return x;
}

} // namespace

TEST("layers of a decoder follow their formulas, without adapters and with them") {
  for (bool learnt : {false, true}) {
    const Tolerance within = tolerance(ops, "layers");
    const Decoder m(ops, false, learnt);
    const int64_t total = 70; // the last rows read a second page
    const auto wanted = expected(m, total);
    const auto found = run(ops, context, m, total, total, false, LENSOR_F32);
    // Sums of a hundred products of about one, through two layers.
    for (int64_t t = 0; t < total; t++)
      for (int64_t i = 0; i < m.width; i++) CHECK_NEAR(found.stream[t * m.width + i], wanted[t][i], within);
    const auto logits = product(m.values.back(), normed(m, wanted.back()));
    for (int64_t i = 0; i < m.vocabulary; i++) CHECK_NEAR(found.logits[i], logits[i], within);
  }
}

TEST("layers give the same bits row by row, in pieces and at once, on one thread and on many") {
  for (const auto& [quantized, adapted] :
       {std::pair(false, false), {true, false}, {false, true}, {true, true}}) {
    const Decoder m(ops, quantized, adapted);
    for (int32_t kv : {LENSOR_F32, LENSOR_F16, LENSOR_BF16, LENSOR_I8})
      for (bool fast : {false, true}) {
        if (fast != quantized) continue;
        Context alone(1);
        const auto one = run(ops, &alone, m, m.most, 1, fast, kv);
        for (int64_t step : {int64_t{1}, int64_t{3}, int64_t{37}, m.most}) {
          const auto all = run(ops, context, m, m.most, step, fast, kv);
          CHECK_SAME(all.stream, one.stream);
          CHECK_SAME(all.logits, one.logits);
        }
      }
  }
}

TEST("an interrupt ends layers early, at any of their meetings") {
  const Decoder m(ops, true);
  for (int64_t poll : {0, 1, 7, 50}) {
    context->polls = 0, context->interrupt_at = poll;
    run(ops, context, m, 40, 40, true, LENSOR_F16, LENSOR_INTERRUPTED);
    context->polls = 0;
    run(ops, context, m, 1, 1, true, LENSOR_F16, LENSOR_INTERRUPTED);
  }
}
