// Attention over packed sequences and its gradients, against loops in double; the same bits whatever is
// packed beside a sequence, however many queries are asked, and on any number of threads.
#include "tolerance.h"
#include <algorithm>
#include <tuple>

using namespace lensor::test;

namespace {

float widened(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

// Heads inside rows, f32 or bf16, with a gap after each head and row that nothing may touch.
struct Heads {
  int64_t rows = 0, heads = 0, width = 0;
  int32_t dtype = LENSOR_F32;
  std::vector<uint8_t> bytes;

  Heads() = default;
  Heads(int64_t rows, int64_t heads, int64_t width, int32_t dtype)
      : rows(rows), heads(heads), width(width), dtype(dtype), bytes(rows * row() * size(), 0x41) {}
  int64_t size() const { return dtype == LENSOR_BF16 ? 2 : 4; }
  int64_t head() const { return width % 16 ? width + 3 : width; }
  int64_t row() const { return heads * head() + (width % 16 ? 5 : 0); }
  lensor_heads view() { return {bytes.data(), row(), head()}; }
  uint8_t* place(int64_t r, int64_t h, int64_t i) { return &bytes[(r * row() + h * head() + i) * size()]; }
  void set(int64_t r, int64_t h, int64_t i, float x) {
    uint32_t b;
    std::memcpy(&b, &x, 4);
    const uint16_t half = (uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16);
    if (size() == 2)
      std::memcpy(place(r, h, i), &half, 2);
    else
      std::memcpy(place(r, h, i), &x, 4);
  }
  float get(int64_t r, int64_t h, int64_t i) {
    uint16_t half;
    float x;
    if (size() == 4) return std::memcpy(&x, place(r, h, i), 4), x;
    return std::memcpy(&half, place(r, h, i), 2), widened(half);
  }
  Heads& fill(uint64_t seed, float by) {
    const auto values = noise(rows * heads * width, seed);
    for (int64_t r = 0, n = 0; r < rows; r++)
      for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < width; i++) set(r, h, i, values[n++] * by);
    return *this;
  }
  bool gaps_stand() {
    std::vector<bool> used(bytes.size());
    for (int64_t r = 0; r < rows; r++)
      for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < width * size(); i++) used[place(r, h, 0) - bytes.data() + i] = true;
    for (size_t i = 0; i < bytes.size(); i++)
      if (!used[i] && bytes[i] != 0x41) return false;
    return true;
  }
  // Heads [begin, end) of every row.
  Heads head(int64_t begin, int64_t end) const {
    Heads whole = *this, part(rows, end - begin, width, dtype);
    for (int64_t r = 0; r < rows; r++)
      for (int64_t h = begin; h < end; h++)
        for (int64_t i = 0; i < width; i++)
          std::memcpy(part.place(r, h - begin, i), whole.place(r, h, i), size());
    return part;
  }
  Heads slice(int64_t begin, int64_t end) const {
    Heads part = *this;
    part.rows = end - begin;
    part.bytes.assign(bytes.begin() + begin * row() * size(), bytes.begin() + end * row() * size());
    return part;
  }
};

struct Problem {
  int32_t heads = 4, kv_heads = 2, width = 16;
  int32_t dtype = LENSOR_F32, compute = LENSOR_F32, causal = 1;
  int64_t window = 0;
  std::vector<int64_t> q_offsets, k_offsets;
  std::vector<int64_t> key_count; // empty: all
  bool biased = false;
  float scale = 0.4f;
  Heads q, k, v, dout;
  std::vector<float> bias;

  int64_t queries() const { return q_offsets.back(); }
  int64_t keys() const { return k_offsets.back(); }
  void fill() {
    q = Heads(queries(), heads, width, dtype).fill(1, 2);
    k = Heads(keys(), kv_heads, width, dtype).fill(2, 1);
    v = Heads(keys(), kv_heads, width, dtype).fill(3, 1);
    dout = Heads(queries(), heads, width, dtype).fill(4, 1);
    bias = noise(kv_heads * keys(), 5);
    if (bias.size() > 3) bias[3] = -INFINITY; // a key that nobody sees
  }
};

struct Result {
  Heads out, dq, dk, dv;
  std::vector<float> lse, entropy, mass, largest, dbias;
};

lensor_flash call_of(Problem& p, Result& r) {
  lensor_flash f{};
  f.heads = p.heads;
  f.kv_heads = p.kv_heads;
  f.head_width = p.width;
  f.dtype = p.dtype;
  f.compute = p.compute;
  f.causal = p.causal;
  f.window = p.window;
  f.sequences = (int64_t)p.q_offsets.size() - 1;
  f.q_offsets = p.q_offsets.data();
  f.k_offsets = p.k_offsets.data();
  f.key_count = p.key_count.empty() ? nullptr : p.key_count.data();
  r.out = Heads(p.queries(), p.heads, p.width, p.dtype);
  r.lse.assign(p.heads * p.queries(), 7);
  r.entropy = r.lse;
  r.mass.assign(p.heads * p.keys(), 7);
  f.q = p.q.view();
  f.k = p.k.view();
  f.v = p.v.view();
  f.out = r.out.view();
  f.scale = p.scale;
  f.key_bias = p.biased ? p.bias.data() : nullptr;
  f.log_sum_exp = r.lse.data();
  f.entropy = r.entropy.data();
  f.mass = r.mass.data();
  return f;
}

Result compute(const lensor_ops& ops, Context* context, Problem& p) {
  Result r;
  lensor_flash f = call_of(p, r);
  r.largest = r.mass;
  f.mass = r.largest.data();
  f.mass_largest = 1;
  CHECK_EQ(ops.flash(context, &f), LENSOR_OK);
  f.mass = r.mass.data();
  f.mass_largest = 0;
  CHECK_EQ(ops.flash(context, &f), LENSOR_OK);
  r.dq = Heads(p.queries(), p.heads, p.width, p.dtype);
  r.dk = Heads(p.keys(), p.kv_heads, p.width, p.dtype);
  r.dv = Heads(p.keys(), p.kv_heads, p.width, p.dtype);
  r.dbias.assign(p.kv_heads * p.keys(), 7);
  const lensor_flash_grad d{&f, p.dout.view(), r.dq.view(), r.dk.view(), r.dv.view(), r.dbias.data()};
  CHECK_EQ(ops.flash_grad(context, &d), LENSOR_OK);
  for (Heads* m : {&r.out, &r.dq, &r.dk, &r.dv}) CHECK(m->gaps_stand());
  return r;
}

// Everything in double; gradients from the analytic softmax.
void check(Problem& p, Result& r, const Tolerance& tolerance) {
  const int64_t Q = p.queries(), K = p.keys(), W = p.width;
  std::vector<double> dq(Q * p.heads * W), dk(K * p.kv_heads * W), dv(dk.size()), dbias(p.kv_heads * K),
      mass(p.heads * K), largest(p.heads * K);
  for (size_t n = 0; n + 1 < p.q_offsets.size(); n++)
    for (int64_t i = p.q_offsets[n]; i < p.q_offsets[n + 1]; i++)
      for (int32_t h = 0; h < p.heads; h++) {
        const int32_t g = h * p.kv_heads / p.heads;
        const int64_t from = p.k_offsets[n],
                      to = p.key_count.empty() ? p.k_offsets[n + 1] : from + p.key_count[n * p.kv_heads + g];
        const int64_t last = p.causal ? std::max<int64_t>(from, to - (p.q_offsets[n + 1] - i) + 1) : to;
        const int64_t begin = p.window ? std::max(from, last - p.window) : from;
        std::vector<double> w(std::max<int64_t>(0, last - begin)), dp(w.size());
        double top = -INFINITY, sum = 0;
        for (int64_t j = begin; j < last; j++) {
          double s = 0;
          for (int64_t c = 0; c < W; c++) s += (double)p.q.get(i, h, c) * p.k.get(j, g, c);
          w[j - begin] = s * p.scale + (p.biased ? p.bias[g * K + j] : 0);
          top = std::max(top, w[j - begin]);
        }
        for (double& x : w) sum += x = top == -INFINITY ? 0 : std::exp(x - top);
        CHECK_NEAR(r.lse[h * Q + i], sum > 0 ? top + std::log(sum) : -INFINITY, tolerance);
        double entropy = 0, delta = 0;
        for (double& x : w) {
          x = sum > 0 ? x / sum : 0;
          if (x > 0) entropy -= x * std::log(x);
        }
        CHECK_NEAR(r.entropy[h * Q + i], entropy, tolerance);
        for (int64_t c = 0; c < W; c++) {
          double o = 0;
          for (int64_t j = begin; j < last; j++) o += w[j - begin] * p.v.get(j, g, c);
          CHECK_NEAR(r.out.get(i, h, c), o, tolerance);
          delta += o * p.dout.get(i, h, c);
        }
        for (int64_t j = begin; j < last; j++) {
          double pd = 0;
          for (int64_t c = 0; c < W; c++) pd += (double)p.dout.get(i, h, c) * p.v.get(j, g, c);
          const double x = w[j - begin], ds = x * (pd - delta);
          mass[h * K + j] += x;
          largest[h * K + j] = std::max(largest[h * K + j], x);
          dbias[g * K + j] += ds;
          for (int64_t c = 0; c < W; c++) {
            dv[(j * p.kv_heads + g) * W + c] += x * p.dout.get(i, h, c);
            dk[(j * p.kv_heads + g) * W + c] += p.scale * ds * p.q.get(i, h, c);
            dq[(i * p.heads + h) * W + c] += p.scale * ds * p.k.get(j, g, c);
          }
        }
      }
  for (int64_t i = 0; i < Q; i++)
    for (int64_t h = 0; h < p.heads; h++)
      for (int64_t c = 0; c < W; c++) CHECK_NEAR(r.dq.get(i, h, c), dq[(i * p.heads + h) * W + c], tolerance);
  for (int64_t j = 0; j < K; j++)
    for (int64_t g = 0; g < p.kv_heads; g++)
      for (int64_t c = 0; c < W; c++) {
        // Each query adds the error of its delta, which comes from the rounded result.
        CHECK_NEAR(r.dk.get(j, g, c), dk[(j * p.kv_heads + g) * W + c], tolerance * 3);
        CHECK_NEAR(r.dv.get(j, g, c), dv[(j * p.kv_heads + g) * W + c], tolerance);
      }
  for (size_t j = 0; j < mass.size(); j++) {
    CHECK_NEAR(r.mass[j], mass[j], tolerance);
    CHECK_NEAR(r.largest[j], largest[j], tolerance);
  }
  for (size_t j = 0; j < dbias.size(); j++) CHECK_NEAR(r.dbias[j], dbias[j], tolerance);
}

// f32: sums of some hundred products of order one. bf16: 8 bits of each factor, of p and of ds, and of the
// results.
Tolerance tolerance_of(const lensor_ops& ops, const Problem& p) {
  const bool narrow = p.compute == LENSOR_BF16 || p.dtype == LENSOR_BF16;
  return tolerance(ops, "flash", narrow ? LENSOR_BF16 : LENSOR_F32);
}

const std::pair<int32_t, int32_t> kKinds[] = {{LENSOR_F32, LENSOR_F32},
                                              {LENSOR_BF16, LENSOR_BF16},
                                              {LENSOR_BF16, LENSOR_F32},
                                              {LENSOR_F32, LENSOR_BF16}};

void same(const Heads& a, const Heads& b) { CHECK_SAME(a.bytes, b.bytes); }

// Column [begin, end) of each of `rows` rows.
std::vector<float> part(const std::vector<float>& x, int64_t rows, int64_t begin, int64_t end) {
  std::vector<float> some;
  const int64_t length = (int64_t)x.size() / rows;
  for (int64_t r = 0; r < rows; r++)
    some.insert(some.end(), x.begin() + r * length + begin, x.begin() + r * length + end);
  return some;
}

} // namespace

TEST("flash attention and its gradients at every length to 70") {
  for (int64_t length = 1; length <= 70; length++) {
    Problem p;
    p.heads = 2;
    p.kv_heads = 1;
    p.width = 8;
    p.dtype = kKinds[length % 4].first;
    p.compute = kKinds[length % 4].second;
    p.q_offsets = p.k_offsets = {0, length};
    p.fill();
    Result r = compute(ops, context, p);
    check(p, r, tolerance_of(ops, p));
  }
}

TEST("flash attention around the edges of blocks, full and causal, windows, other numbers of keys") {
  const int64_t lengths[][2] = {{127, 127}, {128, 128}, {129, 129}, {1, 130},
                                {70, 130},  {130, 70},  {65, 193}};
  size_t turn = 0;
  for (const auto& length : lengths)
    for (int32_t causal : {0, 1})
      for (int64_t window : {0, 1, 2, 50, 64}) {
        Problem p;
        std::tie(p.dtype, p.compute) = kKinds[turn++ % 3];
        p.causal = causal;
        p.window = window;
        p.heads = 3;
        p.kv_heads = 1;
        p.q_offsets = {0, length[0]};
        p.k_offsets = {0, length[1]};
        p.fill();
        Result r = compute(ops, context, p);
        check(p, r, tolerance_of(ops, p));
      }
}

TEST("flash attention of heads of any width, grouped or not, with a bias on the keys") {
  for (const auto& [dtype, computed] : kKinds)
    for (int32_t width : {1, 7, 15, 16, 17, 31, 33, 48, 64, 80}) {
      Problem p;
      p.dtype = dtype;
      p.compute = computed;
      p.width = width;
      p.kv_heads = 1 << width % 3;
      p.scale = 1 / std::sqrt((float)width);
      p.biased = true;
      p.q_offsets = p.k_offsets = {0, 67};
      p.fill();
      Result r = compute(ops, context, p);
      check(p, r, tolerance_of(ops, p));
    }
}

TEST("packed sequences, empty ones among them, are each what they are alone, bit for bit") {
  for (const auto& [dtype, computed] : kKinds)
    for (int64_t window : {0, 40}) {
      Problem p;
      p.dtype = dtype;
      p.compute = computed;
      p.window = window;
      p.width = 24;
      p.biased = true;
      p.q_offsets = {0, 5, 5, 75, 76, 79, 229, 232};
      p.k_offsets = {0,  5,  9,   79,
                     80, 80, 230, 363}; // queries without keys, keys without queries, few of many
      p.fill();
      Result all = compute(ops, context, p);
      check(p, all, tolerance_of(ops, p));
      for (size_t n = 0; n + 1 < p.q_offsets.size(); n++) {
        const int64_t q0 = p.q_offsets[n], q1 = p.q_offsets[n + 1], k0 = p.k_offsets[n],
                      k1 = p.k_offsets[n + 1];
        Problem one = p;
        one.q_offsets = {0, q1 - q0};
        one.k_offsets = {0, k1 - k0};
        one.q = p.q.slice(q0, q1);
        one.dout = p.dout.slice(q0, q1);
        one.k = p.k.slice(k0, k1);
        one.v = p.v.slice(k0, k1);
        one.bias = part(p.bias, p.kv_heads, k0, k1);
        const Result alone = compute(ops, context, one);
        same(all.out.slice(q0, q1), alone.out);
        same(all.dq.slice(q0, q1), alone.dq);
        same(all.dk.slice(k0, k1), alone.dk);
        same(all.dv.slice(k0, k1), alone.dv);
        CHECK_SAME(part(all.lse, p.heads, q0, q1), alone.lse);
        CHECK_SAME(part(all.entropy, p.heads, q0, q1), alone.entropy);
        CHECK_SAME(part(all.mass, p.heads, k0, k1), alone.mass);
        CHECK_SAME(part(all.dbias, p.kv_heads, k0, k1), alone.dbias);
      }
    }
}

TEST("a query's result in flash attention has the same bits however many are asked") {
  for (const auto& [dtype, computed] : kKinds) {
    Problem p;
    p.dtype = dtype;
    p.compute = computed;
    p.width = 64;
    p.q_offsets = p.k_offsets = {0, 200};
    p.fill();
    Result all = compute(ops, context, p);
    for (int64_t count : {1, 2, 17, 64, 100}) {
      Problem last = p;
      last.q_offsets = {0, count};
      last.q = p.q.slice(200 - count, 200);
      last.dout = p.dout.slice(200 - count, 200);
      const Result some = compute(ops, context, last);
      same(some.out, all.out.slice(200 - count, 200));
      same(some.dq, all.dq.slice(200 - count, 200));
      CHECK_SAME(some.lse, part(all.lse, p.heads, 200 - count, 200));
      CHECK_SAME(some.entropy, part(all.entropy, p.heads, 200 - count, 200));
    }
  }
}

TEST("flash attention gives the same bits on any number of threads") {
  for (const auto& [dtype, computed] : kKinds) {
    Problem p;
    p.dtype = dtype;
    p.compute = computed;
    p.biased = true;
    p.q_offsets = p.k_offsets = {0, 600, 905};
    p.fill();
    const Result here = compute(ops, context, p);
    for (int32_t threads : {1, 2, 7}) {
      Context other(threads);
      const Result there = compute(ops, &other, p);
      same(here.out, there.out);
      same(here.dq, there.dq);
      same(here.dk, there.dk);
      same(here.dv, there.dv);
      CHECK_SAME(here.lse, there.lse);
      CHECK_SAME(here.mass, there.mass);
      CHECK_SAME(here.dbias, there.dbias);
    }
  }
}

TEST("heads that hold different numbers of keys in flash attention are each what they are alone, bit for "
     "bit") {
  for (const auto& [dtype, computed] : kKinds)
    for (int32_t causal : {0, 1})
      for (int64_t window : {0, 40}) {
        Problem p;
        p.dtype = dtype;
        p.compute = computed;
        p.causal = causal;
        p.window = window;
        p.width = 24;
        p.biased = true;
        p.q_offsets = {0, 70, 75, 145};
        p.k_offsets = {0, 150, 155, 225};
        p.key_count = {150, 67, 0, 5, 33, 64}; // all, some, none; fewer than queries, a whole block
        p.fill();
        Result all = compute(ops, context, p);
        check(p, all, tolerance_of(ops, p));
        // The first sequence's second head, with the keys that it has.
        Problem one = p;
        one.heads = 2;
        one.kv_heads = 1;
        one.q_offsets = {0, 70};
        one.k_offsets = {0, 67};
        one.key_count.clear();
        one.q = p.q.head(2, 4).slice(0, 70);
        one.dout = p.dout.head(2, 4).slice(0, 70);
        one.k = p.k.head(1, 2).slice(0, 67);
        one.v = p.v.head(1, 2).slice(0, 67);
        one.bias.assign(p.bias.begin() + 225, p.bias.begin() + 225 + 67);
        const Result alone = compute(ops, context, one);
        same(all.out.head(2, 4).slice(0, 70), alone.out);
        same(all.dq.head(2, 4).slice(0, 70), alone.dq);
        same(all.dk.head(1, 2).slice(0, 67), alone.dk);
        same(all.dv.head(1, 2).slice(0, 67), alone.dv);
      }
}

TEST("flash attention's memory beside its results grows with the tokens, not with their square") {
  for (const auto& [dtype, computed] : kKinds) {
    int64_t taken[3];
    for (int64_t i = 0; i < 3; i++) {
      Problem p;
      p.dtype = dtype;
      p.compute = computed;
      p.q_offsets = p.k_offsets = {0, 512 << i};
      p.fill();
      context->taken = context->given = 0;
      compute(ops, context, p);
      CHECK_EQ(context->taken, context->given);
      taken[i] = context->taken;
    }
    // Twice the tokens, at most twice the memory: what grows with their square would be four times as much.
    CHECK(taken[1] <= 2 * taken[0]);
    CHECK(taken[2] <= 2 * taken[1]);
  }
}

TEST("flash attention writes what is asked for alone, and what it writes does not depend on the rest") {
  Problem p;
  p.compute = LENSOR_BF16;
  p.q_offsets = p.k_offsets = {0, 150};
  p.fill();
  const Result whole = compute(ops, context, p);
  Result r;
  lensor_flash f = call_of(p, r);
  f.log_sum_exp = f.entropy = nullptr;
  CHECK_EQ(ops.flash(context, &f), LENSOR_OK);
  same(r.out, whole.out);
  CHECK_SAME(r.mass, whole.mass);
  const lensor_heads v = f.v, out = f.out;
  f.v = f.out = {};
  r.mass.assign(r.mass.size(), 7);
  CHECK_EQ(ops.flash(context, &f), LENSOR_OK);
  CHECK_SAME(r.mass, whole.mass);
  f.v = v, f.out = out;
  f.mass = nullptr;
  CHECK_EQ(ops.flash(context, &f), LENSOR_OK);
  same(r.out, whole.out);
  f.log_sum_exp = r.lse.data();
  CHECK_EQ(ops.flash(context, &f), LENSOR_OK);
  for (int only = 0; only < 3; only++) {
    Heads m(150, only == 0 ? p.heads : p.kv_heads, p.width, p.dtype);
    lensor_flash_grad d{};
    d.of = &f;
    d.out = p.dout.view();
    (only == 0 ? d.q : only == 1 ? d.k : d.v) = m.view();
    CHECK_EQ(ops.flash_grad(context, &d), LENSOR_OK);
    same(m, only == 0 ? whole.dq : only == 1 ? whole.dk : whole.dv);
  }
}

TEST("an interrupt ends flash attention and its gradient early") {
  Problem p;
  p.q_offsets = p.k_offsets = {0, 300};
  p.fill();
  Result r = compute(ops, context, p);
  const lensor_flash f = call_of(p, r);
  const lensor_flash_grad d{&f, p.dout.view(), r.dq.view(), r.dk.view(), r.dv.view(), nullptr};
  for (int64_t poll : {0, 3, 11}) {
    context->polls = 0;
    context->interrupt_at = poll;
    CHECK_EQ(ops.flash(context, &f), LENSOR_INTERRUPTED);
    context->polls = 0;
    CHECK_EQ(ops.flash_grad(context, &d), LENSOR_INTERRUPTED);
  }
}
