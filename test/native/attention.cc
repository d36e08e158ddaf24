// Attention over pages and dense maps, against softmax in double; the same bits for one query and for many.
#include "tolerance.h"
#include <algorithm>
#include <functional>

using namespace lensor::test;

namespace {

// A cache of `length` keys for each KV head; `exact`: the last page has room for no more.
struct Pages {
  int32_t kv_heads, width, dtype;
  std::vector<std::vector<uint8_t>> memory;
  std::vector<std::vector<lensor_kv_page>> pages; // [head][page]

  Pages(int32_t kv_heads, int32_t width, int32_t dtype, int64_t length, bool exact = false)
      : kv_heads(kv_heads), width(width), dtype(dtype), pages(kv_heads) {
    constexpr size_t kPast = 256; // what may be read behind either
    const size_t size = dtype == LENSOR_F32  ? 4
                        : dtype == LENSOR_I8 ? 1
                                             : 2,
                 padded = (width + 15) / 16 * 16, scale = dtype == LENSOR_I8 ? sizeof(float) : 0;
    for (auto& head : pages)
      for (int64_t at = 0; at < length; at += LENSOR_PAGE) {
        const int64_t room = exact ? std::min<int64_t>(LENSOR_PAGE, length - at) : LENSOR_PAGE;
        void* keys = memory.emplace_back(room * (width * size + scale) + kPast).data();
        void* values = memory.emplace_back(room * (padded * size + scale) + kPast).data();
        head.push_back({keys, values, static_cast<int32_t>(room)});
      }
  }
  // Where it is set: what lensor_kv_head says of pages that are chosen, of every head.
  std::vector<std::vector<uint16_t>> bounds;
  int64_t bounded = 0, reads = 0;

  std::vector<lensor_kv_head> heads(const std::vector<int64_t>& counts,
                                    const float* const* bias = nullptr) const {
    std::vector<lensor_kv_head> list;
    for (int32_t h = 0; h < kv_heads; h++)
      list.push_back({pages[h].data(), counts[h], bias ? bias[h] : nullptr, bias && bias[h] ? counts[h] : 0,
                      nullptr, 0, 0});
    return list;
  }
};

struct Problem {
  int32_t heads = 4, kv_heads = 2, width = 40;
  int64_t length = 150;
  std::vector<float> q, k, v; // [length, heads * width], [length, kv_heads * width]

  explicit Problem(int64_t length = 150)
      : length(length), q(noise(length * heads * width, 1)), k(noise(length * kv_heads * width, 2)),
        v(noise(length * kv_heads * width, 3)) {
    for (float& x : q) x *= 4;
  }
  void write(const lensor_ops& ops, Context* context, Pages& pages, int64_t at, int64_t rows) const {
    const int64_t stride = kv_heads * width;
    for (int32_t h = 0; h < kv_heads; h++)
      CHECK_EQ(ops.kv_write(context, pages.dtype, &k[at * stride + h * width], &v[at * stride + h * width],
                            stride, rows, width, at, pages.pages[h].data()),
               LENSOR_OK);
  }
  // Queries [first, first + tokens) with `counts` keys; out [tokens, heads * width].
  std::vector<float> attend(const lensor_ops& ops, Context* context, const Pages& pages, int64_t first,
                            int64_t tokens, const std::vector<int64_t>& counts,
                            const float* const* bias = nullptr, float* log_sum_exp = nullptr) const {
    std::vector<float> out(tokens * heads * width, -1);
    const int64_t stride = heads * width;
    const auto heads_of = pages.heads(counts, bias);
    const lensor_attention a{heads,  kv_heads,        width,       tokens, &q[first * stride],
                             stride, heads_of.data(), pages.dtype, 0.25f,  out.data(),
                             stride, log_sum_exp};
    CHECK_EQ(ops.attention(context, &a), LENSOR_OK);
    return out;
  }
  // The weights of one query in double.
  std::vector<double> weights(int64_t t, int32_t h, int64_t seen, const float* bias = nullptr) const {
    std::vector<double> w(seen);
    const int32_t g = h * kv_heads / heads;
    double top = -INFINITY, sum = 0;
    for (int64_t j = 0; j < seen; j++) {
      double s = 0;
      for (int i = 0; i < width; i++)
        s += (double)q[(t * heads + h) * width + i] * k[(j * kv_heads + g) * width + i];
      w[j] = s * 0.25 + (bias ? bias[j] : 0);
      top = std::max(top, w[j]);
    }
    for (double& x : w) sum += x = std::exp(x - top);
    for (double& x : w) x /= sum;
    return w;
  }
  double mix(const std::vector<double>& w, int32_t h, int i) const {
    double out = 0;
    for (size_t j = 0; j < w.size(); j++) out += w[j] * v[(j * kv_heads + h * kv_heads / heads) * width + i];
    return out;
  }
};

} // namespace

constexpr int32_t kCaches[] = {LENSOR_F32, LENSOR_F16, LENSOR_BF16, LENSOR_I8};

TEST("attention over pages is softmax over the visible keys") {
  const Problem p;
  for (int32_t dtype : kCaches) {
    // Of a value of about one: what keys and values lose in the cache's type.
    const Tolerance within = tolerance(ops, "attention", dtype);
    Pages pages(p.kv_heads, p.width, dtype, p.length);
    p.write(ops, context, pages, 0, p.length);
    const auto out = p.attend(ops, context, pages, 0, p.length, {p.length, p.length});
    for (int64_t t = 0; t < p.length; t++)
      for (int32_t h = 0; h < p.heads; h++) {
        const auto w = p.weights(t, h, t + 1);
        for (int i = 0; i < p.width; i++)
          CHECK_NEAR(out[(t * p.heads + h) * p.width + i], p.mix(w, h, i), within);
      }
  }
}

TEST("a query's result has the same bits whatever is read with it") {
  const Problem p;
  for (int32_t dtype : kCaches) {
    Pages whole(p.kv_heads, p.width, dtype, p.length);
    p.write(ops, context, whole, 0, p.length);
    const auto all = p.attend(ops, context, whole, 0, p.length, {p.length, p.length});
    for (int64_t step : {1, 3, 64, 70}) {
      Pages pages(p.kv_heads, p.width, dtype, p.length);
      std::vector<float> parts;
      for (int64_t at = 0; at < p.length; at += step) {
        const int64_t rows = std::min(step, p.length - at);
        p.write(ops, context, pages, at, rows);
        const auto some = p.attend(ops, context, pages, at, rows, {at + rows, at + rows});
        parts.insert(parts.end(), some.begin(), some.end());
      }
      CHECK_SAME(parts, all);
    }
  }
}

TEST("a last page without room to spare gives the same bits, and what was written is read back") {
  const Problem p;
  for (int32_t dtype : kCaches)
    for (int64_t length : {1, 41, 64, 65, 150}) {
      Pages whole(p.kv_heads, p.width, dtype, length), tight(p.kv_heads, p.width, dtype, length, true);
      p.write(ops, context, whole, 0, length);
      p.write(ops, context, tight, 0, length);
      for (int64_t tokens : {int64_t{1}, length})
        CHECK_SAME(p.attend(ops, context, tight, 0, tokens, {length, length}),
                   p.attend(ops, context, whole, 0, tokens, {length, length}));
      const Tolerance within = tolerance(ops, "attention", dtype);
      const int64_t stride = p.kv_heads * p.width;
      std::vector<float> k(length * p.width), v(k), again_k(k), again_v(k);
      CHECK_EQ(
          ops.kv_read(context, dtype, tight.pages[1].data(), 0, length, p.width, k.data(), v.data(), p.width),
          LENSOR_OK);
      for (int64_t t = 0; t < length; t++)
        for (int i = 0; i < p.width; i++) {
          CHECK_NEAR(k[t * p.width + i], p.k[t * stride + p.width + i], within);
          CHECK_NEAR(v[t * p.width + i], p.v[t * stride + p.width + i], within);
        }
      // What was read, written again and read, is the same.
      CHECK_EQ(ops.kv_write(context, dtype, k.data(), v.data(), p.width, length, p.width, 0,
                            tight.pages[0].data()),
               LENSOR_OK);
      CHECK_EQ(ops.kv_read(context, dtype, tight.pages[0].data(), 0, length, p.width, again_k.data(),
                           again_v.data(), p.width),
               LENSOR_OK);
      if (dtype != LENSOR_I8) {
        CHECK_SAME(again_k, k);
        CHECK_SAME(again_v, v);
      }
    }
}

TEST("heads may hold different numbers of keys, with a bias on each") {
  const Tolerance within = tolerance(ops, "attention"), sums = tolerance(ops, "attention's sums");
  const Problem p;
  Pages pages(p.kv_heads, p.width, LENSOR_F32, p.length);
  p.write(ops, context, pages, 0, p.length);
  auto bias = noise(p.length, 4);
  bias[7] = -INFINITY; // a key that nobody sees
  const float* list[] = {bias.data(), nullptr};
  for (int64_t tokens : {1, 6}) {
    std::vector<float> lse(tokens * p.heads);
    const std::vector<int64_t> counts{100, 33};
    const auto out = p.attend(ops, context, pages, 20, tokens, counts, list, lse.data());
    for (int64_t t = 0; t < tokens; t++)
      for (int32_t h = 0; h < p.heads; h++) {
        const int32_t g = h * p.kv_heads / p.heads;
        const auto w = p.weights(20 + t, h, counts[g] - tokens + t + 1, list[g]);
        for (int i = 0; i < p.width; i++)
          CHECK_NEAR(out[(t * p.heads + h) * p.width + i], p.mix(w, h, i), within);
        // The weight of the first key says what the log-sum-exp must be.
        double s = 0;
        for (int i = 0; i < p.width; i++)
          s += (double)p.q[((20 + t) * p.heads + h) * p.width + i] * p.k[g * p.width + i];
        CHECK_NEAR(lse[t * p.heads + h], s * 0.25 + (list[g] ? list[g][0] : 0) - std::log(w[0]), sums);
      }
  }
}

// The least and the most of each channel of a page's keys, [2][padded], as whole numbers of 1/4 in bf16.
std::vector<uint16_t> bounds_of(const Problem& p, int32_t g, int64_t pages) {
  const int64_t padded = (p.width + 15) / 16 * 16;
  std::vector<uint16_t> bounds(pages * 2 * padded);
  for (int64_t page = 0; page < pages; page++)
    for (int i = 0; i < p.width; i++) {
      float least = INFINITY, most = -INFINITY;
      for (int64_t j = page * LENSOR_PAGE; j < (page + 1) * LENSOR_PAGE; j++) {
        const float x = p.k[(j * p.kv_heads + g) * p.width + i];
        least = std::min(least, x), most = std::max(most, x);
      }
      const float rounded[] = {std::floor(least * 4) / 4, std::ceil(most * 4) / 4};
      for (int side = 0; side < 2; side++) {
        uint32_t bits;
        std::memcpy(&bits, &rounded[side], 4);
        bounds[(2 * page + side) * padded + i] = static_cast<uint16_t>(bits >> 16);
      }
    }
  return bounds;
}

TEST("a query reads the pages that may hold its largest scores, and those behind them") {
  const Tolerance within = tolerance(ops, "attention");
  const Problem p(700);
  constexpr int64_t kBounded = 10, kReads = 3; // the eleventh page is not full
  const int64_t padded = (p.width + 15) / 16 * 16, group = p.heads / p.kv_heads;
  Pages pages(p.kv_heads, p.width, LENSOR_F32, p.length);
  p.write(ops, context, pages, 0, p.length);
  const auto whole = p.attend(ops, context, pages, 660, 40, {p.length, p.length});
  for (int32_t g = 0; g < p.kv_heads; g++) pages.bounds.push_back(bounds_of(p, g, kBounded));
  pages.bounded = pages.reads = kBounded;
  CHECK_SAME(p.attend(ops, context, pages, 660, 40, {p.length, p.length}), whole);

  pages.reads = kReads;
  const auto many = p.attend(ops, context, pages, 660, 40, {p.length, p.length});
  const auto one = p.attend(ops, context, pages, 699, 1, {p.length, p.length});
  CHECK_SAME(std::vector<float>(many.end() - p.heads * p.width, many.end()), one);
  for (int64_t t = 660; t < p.length; t++)
    for (int32_t g = 0; g < p.kv_heads; g++) {
      std::vector<double> worth(kBounded, -INFINITY);
      for (int32_t h = g * group; h < (g + 1) * group; h++) {
        std::vector<double> bound(kBounded);
        for (int64_t page = 0; page < kBounded; page++)
          for (int i = 0; i < p.width; i++) {
            double side[2];
            for (int n = 0; n < 2; n++) {
              const uint32_t bits = uint32_t{pages.bounds[g][(2 * page + n) * padded + i]} << 16;
              float x;
              std::memcpy(&x, &bits, 4);
              side[n] = x * p.q[(t * p.heads + h) * p.width + i];
            }
            bound[page] += 0.25 * std::max(side[0], side[1]);
          }
        const double top = *std::max_element(bound.begin(), bound.end());
        for (int64_t page = 0; page < kBounded; page++)
          worth[page] = std::max(worth[page], bound[page] - top);
      }
      auto sorted = worth;
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      for (int32_t h = g * group; h < (g + 1) * group; h++) {
        auto w = p.weights(t, h, t + 1);
        double sum = 0;
        for (int64_t j = 0; j <= t; j++) {
          if (j / LENSOR_PAGE < kBounded && worth[j / LENSOR_PAGE] < sorted[kReads - 1]) w[j] = 0;
          sum += w[j];
        }
        for (double& x : w) x /= sum;
        for (int i = 0; i < p.width; i++)
          CHECK_NEAR(many[((t - 660) * p.heads + h) * p.width + i], p.mix(w, h, i), within);
      }
    }
}

TEST("maps: rows add up to one, nothing ahead is seen") {
  const Tolerance within = tolerance(ops, "attention map");
  const Problem p;
  const int64_t T = 77;
  std::vector<float> q(p.heads * T * p.width), k(p.kv_heads * T * p.width), map(p.heads * T * T, -1);
  for (int64_t t = 0; t < T; t++) {
    for (int32_t h = 0; h < p.heads; h++)
      std::memcpy(&q[(h * T + t) * p.width], &p.q[(t * p.heads + h) * p.width], p.width * 4);
    for (int32_t g = 0; g < p.kv_heads; g++)
      std::memcpy(&k[(g * T + t) * p.width], &p.k[(t * p.kv_heads + g) * p.width], p.width * 4);
  }
  const lensor_attention_map m{p.heads, p.kv_heads, p.width, T, q.data(), k.data(), 0.25f, map.data()};
  CHECK_EQ(ops.attention_map(context, &m), LENSOR_OK);
  for (int32_t h = 0; h < p.heads; h++) {
    for (int64_t t = 0; t < T; t++) {
      const auto w = p.weights(t, h, t + 1);
      for (int64_t j = 0; j < T; j++) {
        const float found = map[(h * T + t) * T + j];
        CHECK_NEAR(found, j <= t ? w[j] : 0, within);
      }
    }
  }
}

TEST("an interrupt ends attention early") {
  const Problem p;
  Pages pages(p.kv_heads, p.width, LENSOR_F32, p.length);
  p.write(ops, context, pages, 0, p.length);
  context->interrupt_at = 0;
  std::vector<float> out(p.length * p.heads * p.width);
  const auto heads = pages.heads({p.length, p.length});
  const lensor_attention a{p.heads,    p.kv_heads,        p.width,           p.length,
                           p.q.data(), p.heads * p.width, heads.data(),      LENSOR_F32,
                           0.25f,      out.data(),        p.heads * p.width, nullptr};
  CHECK_EQ(ops.attention(context, &a), LENSOR_INTERRUPTED);
}
