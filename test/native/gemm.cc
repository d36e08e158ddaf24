// Products with epilogues against sums in double: every kind of side, edges of the tiles, strides, packed
// weights both ways. Tolerance: a chain of K rounded sums of unit values wanders like their partial sums, by
// about 2^-24 K, beside the tolerance times sqrt(K) for the products; bf16 the same, against sides that were
// rounded to bf16 first.
#include "../../native/quant/panel.h"
#include "tolerance.h"
#include <algorithm>

using namespace lensor::test;

namespace {

// Of a chain of k products, in parts of one.
double chain(int64_t k) { return std::sqrt((double)k) + 0.03 * (double)k; }

float rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&x, &bits, 4);
  return x;
}

lensor_gemm plain(const lensor_view& a, const lensor_view& w, const lensor_view& out, int32_t compute) {
  lensor_gemm g{};
  g.a = &a, g.w = &w, g.out = &out;
  g.alpha = 1, g.activation = -1, g.compute = compute;
  return g;
}

// [batch, m, k] x [batch, k, n], either side turned in memory.
std::vector<float> multiply(const lensor_ops& ops, Context* context, std::vector<float> x,
                            std::vector<float> y, int64_t batch, int64_t m, int64_t k, int64_t n, bool turn_x,
                            bool turn_y, int32_t compute) {
  std::vector<float> out(batch * m * n, -1);
  const lensor_view a = turn_x ? view(x, {batch, m, k}, {m * k, 1, m}) : view(x, {batch, m, k});
  const lensor_view w = turn_y ? view(y, {batch, k, n}, {k * n, 1, k}) : view(y, {batch, k, n});
  const lensor_view to = view(out, {batch, m, n});
  const lensor_gemm g = plain(a, w, to, compute);
  CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
  return out;
}

double worst(const std::vector<float>& out, const std::vector<float>& x, const std::vector<float>& y,
             int64_t batch, int64_t m, int64_t k, int64_t n, bool turn_x, bool turn_y, bool half) {
  double worst = 0;
  for (int64_t b = 0; b < batch; b++)
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) {
        double wanted = 0;
        for (int64_t l = 0; l < k; l++) {
          const float p = x[b * m * k + (turn_x ? l * m + i : i * k + l)],
                      q = y[b * k * n + (turn_y ? j * k + l : l * n + j)];
          wanted += half ? (double)rounded(p) * rounded(q) : (double)p * q;
        }
        worst = std::max(worst, std::abs(out[(b * m + i) * n + j] - wanted));
      }
  return worst;
}

} // namespace

TEST("gemm around every edge of its tiles, each side row-major or turned") {
  const int64_t sizes[][4] = {{1, 1, 1, 1},      {2, 12, 16, 32}, {1, 13, 17, 33},  {1, 95, 255, 31},
                              {3, 5, 2, 65},     {1, 97, 3, 257}, {1, 25, 513, 20}, {1, 14, 4500, 33},
                              {2, 30, 1030, 45}, {1, 7, 600, 300}};
  for (const auto& [batch, m, k, n] : sizes)
    for (const int turns : {0, 1, 2, 3})
      for (const int32_t compute : {LENSOR_F32, LENSOR_BF16}) {
        const auto x = noise(batch * m * k, 1), y = noise(batch * k * n, 2);
        const auto out = multiply(ops, context, x, y, batch, m, k, n, turns & 1, turns & 2, compute);
        CHECK_NEAR(worst(out, x, y, batch, m, k, n, turns & 1, turns & 2, compute == LENSOR_BF16), 0,
                   tolerance(ops, "product", compute) * chain(k));
      }
}

TEST("a product's element has the same bits whatever is computed with it, in f32 and bf16") {
  const int64_t m = 130, k = 1100, n = 300;
  const auto x = noise(m * k, 3), y = noise(k * n, 4);
  Context serial(1), threaded(4);
  for (const int32_t compute : {LENSOR_F32, LENSOR_BF16}) {
    const auto all = multiply(ops, &serial, x, y, 1, m, k, n, false, false, compute);
    CHECK_SAME(multiply(ops, &threaded, x, y, 1, m, k, n, false, false, compute), all);
    for (int64_t rows : {1, 2, 11, 12, 13}) {
      const std::vector<float> few(x.begin(), x.begin() + rows * k),
          wanted(all.begin(), all.begin() + rows * n);
      CHECK_SAME(multiply(ops, context, few, y, 1, rows, k, n, false, false, compute), wanted);
    }
    std::vector<float> column(k), wanted(m);
    for (int64_t l = 0; l < k; l++) column[l] = y[l * n + 37];
    for (int64_t i = 0; i < m; i++) wanted[i] = all[i * n + 37];
    CHECK_SAME(multiply(ops, context, x, column, 1, m, k, 1, false, false, compute), wanted);
  }
}

TEST("strides of any kind, and a batch that repeats a matrix") {
  const int64_t m = 20, k = 40, n = 35;
  auto x = noise(2 * m * 3 * k, 5), y = noise(k * n * 2, 6);
  std::vector<float> out(2 * m * n), wanted(2 * m * n);
  const auto a = view(x, {2, m, k}, {m * 3 * k, 3 * k, 3}), w = view(y, {2, k, n}, {0, 2 * n, 2});
  const auto to = view(out, {2, m, n});
  const lensor_gemm g = plain(a, w, to, LENSOR_F32);
  CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
  double far = 0;
  for (int64_t b = 0; b < 2; b++)
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t l = 0; l < k; l++)
          sum += (double)x[b * m * 3 * k + i * 3 * k + l * 3] * y[l * 2 * n + j * 2];
        far = std::max(far, std::abs(out[(b * m + i) * n + j] - sum));
      }
  CHECK_NEAR(far, 0, tolerance(ops, "product") * chain(k));
}

TEST("a product is scaled, gets its bias, its activation and what is there, in this order") {
  const Tolerance within = tolerance(ops, "product, finished");
  const int64_t m = 14, k = 20, n = 37;
  auto x = noise(m * k, 7), y = noise(k * n, 8), bias = noise(n, 9), out = noise(m * n, 10);
  const auto before = out, bare = multiply(ops, context, x, y, 1, m, k, n, false, false, LENSOR_F32);
  const auto a = view(x, {1, m, k}), w = view(y, {1, k, n}), to = view(out, {1, m, n});
  lensor_gemm g = plain(a, w, to, LENSOR_F32);
  g.alpha = 0.5f, g.bias = bias.data(), g.activation = LENSOR_SILU, g.addend = out.data();
  CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
  for (int64_t i = 0; i < m * n; i++) {
    const double inner = 0.5 * bare[i] + bias[i % n];
    CHECK_NEAR(out[i], before[i] + inner / (1 + std::exp(-inner)), within);
  }
}

TEST("16-bit sides and results: sums in f32, rounded once") {
  const int64_t m = 13, k = 700, n = 40;
  auto x = noise(m * k, 11), y = noise(k * n, 12);
  std::vector<bf16> bx(m * k), out(m * n), wanted(m * n);
  std::vector<f16> hy(k * n);
  const auto x3 = view(x, {1, m, k}), y3 = view(y, {1, k, n}), bx3 = view(bx, {1, m, k}),
             hy3 = view(hy, {1, k, n});
  const auto to = view(out, {1, m, n}), right = view(wanted, {1, m, n});
  ops.copy(context, &x3, &bx3), ops.copy(context, &y3, &hy3);
  ops.copy(context, &bx3, &x3), ops.copy(context, &hy3, &y3);
  const lensor_gemm g = plain(bx3, hy3, to, LENSOR_F32);
  CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
  auto f = multiply(ops, context, x, y, 1, m, k, n, false, false, LENSOR_F32);
  const auto wide = view(f, {1, m, n});
  ops.copy(context, &wide, &right);
  CHECK_SAME(out, wanted);
}

TEST("every activation is the unary of the same name") {
  const int64_t m = 3, k = 4, n = 21;
  auto x = noise(m * k, 21), y = noise(k * n, 22), bias = noise(n, 23);
  std::vector<float> sums(m * n), out(m * n), wanted(m * n);
  const auto a = view(x, {1, m, k}), w = view(y, {1, k, n}), to = view(out, {1, m, n}),
             before = view(sums, {m * n}), after = view(wanted, {m * n}), inner = view(sums, {1, m, n});
  lensor_gemm g = plain(a, w, inner, LENSOR_F32);
  g.bias = bias.data();
  CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
  for (int32_t f = 0; f < LENSOR_UNARY_COUNT; f++) {
    g.activation = f, g.out = &to;
    CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
    CHECK_EQ(ops.unary(context, (lensor_unary)f, &before, &after), LENSOR_OK);
    for (int64_t i = 0; i < m * n; i++) CHECK_NEAR(out[i], wanted[i], 0);
  }
}

TEST("sums longer than a stretch of K wait in f32: added to bf16 they round once") {
  const int64_t m = 30, k = 1500, n = 70;
  auto x = noise(m * k, 31), y = noise(k * n, 32), old = noise(m * n, 33);
  std::vector<bf16> out(m * n), wanted(m * n);
  const auto a = view(x, {1, m, k}), w = view(y, {1, k, n}), to = view(out, {1, m, n}),
             there = view(old, {1, m, n}), right = view(wanted, {1, m, n});
  ops.copy(context, &there, &to), ops.copy(context, &to, &there);
  lensor_gemm g = plain(a, w, to, LENSOR_F32);
  g.addend = out.data();
  CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
  auto sums = multiply(ops, context, x, y, 1, m, k, n, false, false, LENSOR_F32);
  for (int64_t i = 0; i < m * n; i++) sums[i] += old[i];
  const auto wide = view(sums, {1, m, n});
  ops.copy(context, &wide, &right);
  CHECK_SAME(out, wanted);
}

TEST("a batch of small products gives each the bits it has alone, and ends at an interrupt") {
  const int64_t batch = 37, m = 9, k = 19, n = 18;
  const auto x = noise(batch * m * k, 41), y = noise(batch * k * n, 42);
  const auto all = multiply(ops, context, x, y, batch, m, k, n, false, true, LENSOR_F32);
  for (int64_t b : {0, 17, 36}) {
    const auto part = [&](const std::vector<float>& v, int64_t size) {
      return std::vector<float>(v.begin() + b * size, v.begin() + (b + 1) * size);
    };
    CHECK_SAME(multiply(ops, context, part(x, m * k), part(y, k * n), 1, m, k, n, false, true, LENSOR_F32),
               part(all, m * n));
  }
  Context stopping(context->threads);
  stopping.interrupt_at = 5;
  std::vector<float> p = x, q = y, out(batch * m * n);
  const auto a = view(p, {batch, m, k}), w = view(q, {batch, k, n}), to = view(out, {batch, m, n});
  const lensor_gemm g = plain(a, w, to, LENSOR_F32);
  CHECK_EQ(ops.gemm(&stopping, &g), LENSOR_INTERRUPTED);
}

TEST("a packed weight multiplies as its dequantized rows do, both ways") {
  const int64_t n = 45, m = 14;
  const std::vector<int32_t> types{LENSOR_F32,
                                   LENSOR_F16,
                                   LENSOR_BF16,
                                   LENSOR_Q4_0,
                                   LENSOR_Q4_1,
                                   LENSOR_Q5_0,
                                   LENSOR_Q5_1,
                                   LENSOR_Q6_K,
                                   LENSOR_Q8_0,
                                   LENSOR_Q2_K,
                                   LENSOR_Q3_K,
                                   LENSOR_Q4_K,
                                   LENSOR_Q5_K,
                                   lensor::grouped_type(3, 64, true),
                                   lensor::grouped_type(2, 128, false),
                                   lensor::grouped_type(8, 32, true)};
  for (const int32_t dtype : types) {
    const int64_t k = lensor::is_super(dtype) || lensor::is_grouped(dtype) ? 256 : 96;
    const int64_t bytes = lensor::row_bytes(dtype, k);
    std::vector<uint8_t> file(n * bytes);
    const auto random = noise(n * bytes, 13);
    for (size_t i = 0; i < file.size(); i++) file[i] = (uint8_t)(128 + 127 * random[i]);
    // Scales and 16-bit values of moderate size: random bits would be infinities.
    if (dtype == LENSOR_F32)
      std::memcpy(file.data(), noise(n * k, 14).data(), file.size());
    else if (dtype == LENSOR_F16 || dtype == LENSOR_BF16)
      for (size_t i = 1; i < file.size(); i += 2) file[i] = (file[i] & 0x83) | 0x38;
    else
      for (int64_t b = 0; b < n * (k / lensor::block_cols(dtype)); b++) {
        uint8_t* block = file.data() + b * lensor::row_block_bytes(dtype);
        const bool super = lensor::is_super(dtype);
        block[super ? lensor::super_block(dtype).scale + 1 : 1] = super ? 0x14 : 0x2c;
        if (lensor::has_minimum(dtype)) block[super ? lensor::super_block(dtype).minimum + 1 : 3] = 0xac;
      }
    std::vector<const void*> rows(n);
    for (int64_t i = 0; i < n; i++) rows[i] = file.data() + i * bytes;
    std::vector<uint8_t> packed(ops.weight_bytes(dtype, n, k) + 64);
    const lensor_weight weight{dtype, n, k, packed.data()};
    ops.weight_pack(&weight, rows.data(), 0, (n + LENSOR_PANEL - 1) / LENSOR_PANEL);
    std::vector<float> dense(n * k);
    for (int64_t i = 0; i < n; i++) ops.weight_row(&weight, i, dense.data() + i * k);
    for (const int32_t compute : {LENSOR_F32, LENSOR_BF16}) {
      auto x = noise(m * k, 15), g = noise(m * n, 16);
      std::vector<float> y(m * n), dx(m * k);
      const auto x3 = view(x, {1, m, k}), g3 = view(g, {1, m, n}), y3 = view(y, {1, m, n}),
                 dx3 = view(dx, {1, m, k});
      lensor_gemm forward = plain(x3, x3, y3, compute), back = plain(g3, g3, dx3, compute);
      forward.w = back.w = nullptr;
      forward.weight = back.weight = &weight;
      back.flipped = 1;
      CHECK_EQ(ops.gemm(context, &forward), LENSOR_OK);
      CHECK_EQ(ops.gemm(context, &back), LENSOR_OK);
      CHECK_SAME(y, multiply(ops, context, x, dense, 1, m, k, n, false, true, compute));
      CHECK_SAME(dx, multiply(ops, context, g, dense, 1, m, n, k, false, false, compute));
    }
  }
}

TEST("sums of nothing are the bias; nothing of anything is nothing") {
  std::vector<float> x, y, out(6, 5), bias{1, 2, 3};
  const auto a = view(x, {1, 2, 0}), w = view(y, {1, 0, 3}), to = view(out, {1, 2, 3});
  lensor_gemm g = plain(a, w, to, LENSOR_F32);
  g.bias = bias.data();
  CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
  CHECK_SAME(out, (std::vector<float>{1, 2, 3, 1, 2, 3}));
  const auto none = view(x, {1, 0, 3});
  g.out = &none;
  CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
}

TEST("an interrupt ends a gemm") {
  Context stopping(context->threads);
  stopping.interrupt_at = 3;
  auto x = noise(300 * 300, 1), y = noise(300 * 300, 2);
  std::vector<float> out(300 * 300);
  const auto a = view(x, {1, 300, 300}), w = view(y, {1, 300, 300}), to = view(out, {1, 300, 300});
  const lensor_gemm g = plain(a, w, to, LENSOR_BF16);
  CHECK_EQ(ops.gemm(&stopping, &g), LENSOR_INTERRUPTED);
}

TEST("a low-rank part beside w goes on where w's sums end, and its inner product is a product") {
  const struct {
    int64_t m, k, n, rank;
  } shapes[] = {{1, 7, 5, 1},         {50, 64, 96, 8},     {61, 90, 33, 3},
                {300, 1400, 200, 16}, {100, 40, 1100, 40}, {2100, 30, 40, 8}};
  for (const auto& [m, k, n, rank] : shapes)
    for (const int32_t compute : {(int32_t)LENSOR_F32, (int32_t)LENSOR_BF16}) {
      auto x = noise(m * k, 41), w = noise(k * n, 42), down = noise(k * rank, 43), up = noise(rank * n, 44);
      auto plain_product = multiply(ops, context, x, w, 1, m, k, n, false, false, compute);
      auto inner = multiply(ops, context, x, down, 1, m, k, rank, false, false, compute);
      std::vector<float> scaled = inner, out(m * n), got(m * rank);
      for (float& value : scaled) value *= 0.5f;
      const auto a = view(x, {1, m, k}), right = view(w, {1, k, n}), to = view(out, {1, m, n}),
                 left = view(down, {1, k, rank}), high = view(up, {1, rank, n});
      const lensor_low_rank low{&left, &high, 0.5f, got.data()};
      lensor_gemm g = plain(a, right, to, compute);
      g.low_rank = &low;
      CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
      CHECK_SAME(got, inner);
      double far = 0;
      for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
          double more = 0;
          for (int64_t l = 0; l < rank; l++) {
            const float p = scaled[i * rank + l], q = up[l * n + j];
            more += compute == LENSOR_BF16 ? (double)rounded(p) * rounded(q) : (double)p * q;
          }
          far = std::max(far, std::abs(out[i * n + j] - plain_product[i * n + j] - more));
        }
      CHECK_NEAR(far, 0, tolerance(ops, "product", compute) * (4 * chain(k)));
    }
}

TEST("a few rows or columns beside a matrix as it lies are the same sums as among many") {
  const int64_t k = 301, n = 700;
  for (const int64_t few : {1, 2, 8, 13, 24})
    for (const int32_t compute : {(int32_t)LENSOR_F32, (int32_t)LENSOR_BF16}) {
      auto x = noise(64 * k, 51), y = noise(k * n, 52);
      const auto all = multiply(ops, context, x, y, 1, 64, k, n, false, false, compute);
      const std::vector<float> first(all.begin(), all.begin() + few * n);
      CHECK_SAME(
          multiply(ops, context, {x.begin(), x.begin() + few * k}, y, 1, few, k, n, false, false, compute),
          first);
      // The transpose: y^T, whose lines lie side by side, times x^T.
      std::vector<float> out(n * few), wanted(n * few);
      const auto a = view(y, {1, n, k}, {n * k, 1, n}), w = view(x, {1, k, few}, {k * few, 1, k}),
                 to = view(out, {1, n, few});
      const lensor_gemm g = plain(a, w, to, compute);
      CHECK_EQ(ops.gemm(context, &g), LENSOR_OK);
      for (int64_t i = 0; i < n; i++)
        for (int64_t r = 0; r < few; r++) wanted[i * few + r] = all[r * n + i];
      CHECK_SAME(out, wanted);
    }
}

TEST("many products at once have the bits of one after the other, those without rows or K included") {
  const int64_t sizes[][3] = {{1, 40, 33},   {130, 640, 300}, {0, 16, 16},     {7, 0, 48},
                              {300, 90, 20}, {24, 65, 96},    {45, 1536, 576}, {70, 1400, 350}};
  for (const bool turned : {false, true})
    for (const int32_t compute : {LENSOR_F32, LENSOR_BF16}) {
      std::vector<std::vector<float>> x, y, wanted, out;
      std::vector<lensor_view> a, w, to;
      std::vector<lensor_gemm> jobs;
      for (const auto& [m, k, n] : sizes) {
        x.push_back(noise(m * k, m + 1)), y.push_back(noise(k * n, n));
        wanted.push_back(multiply(ops, context, x.back(), y.back(), 1, m, k, n, false, turned, compute));
        out.emplace_back(m * n, -1);
      }
      for (size_t i = 0; i < x.size(); i++) {
        const auto& [m, k, n] = sizes[i];
        a.push_back(view(x[i], {1, m, k}));
        w.push_back(turned ? view(y[i], {1, k, n}, {k * n, 1, k}) : view(y[i], {1, k, n}));
        to.push_back(view(out[i], {1, m, n}));
      }
      for (size_t i = 0; i < x.size(); i++) jobs.push_back(plain(a[i], w[i], to[i], compute));
      CHECK_EQ(ops.gemms(context, jobs.data(), (int64_t)jobs.size()), LENSOR_OK);
      for (size_t i = 0; i < x.size(); i++) CHECK_SAME(out[i], wanted[i]);
      CHECK_EQ(context->taken, context->given);
    }
}
