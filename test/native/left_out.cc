// Weights that are kept without most of their zeros, and products of factors: the same numbers as the
// matrices that they stand for, to the bit where nothing is multiplied out.
#include "../../native/quant/panel.h"
#include "../../native/quant/rows.h"
#include "check.h"
#include <algorithm>

using namespace lensor;
using namespace lensor::test;

namespace {

struct Packed {
  std::vector<uint8_t> memory;
  lensor_weight view{};
};

Packed packed(const lensor_ops& ops, int32_t dtype, int64_t rows, int64_t cols, const void* data) {
  Packed made;
  made.memory.resize(ops.weight_bytes(dtype, rows, cols));
  made.view = {dtype, rows, cols, made.memory.data()};
  std::vector<const void*> sources(rows);
  for (int64_t row = 0; row < rows; row++)
    sources[row] = static_cast<const char*>(data) + row * row_bytes(dtype, cols);
  ops.weight_pack(&made.view, sources.data(), 0, (rows + LENSOR_PANEL - 1) / LENSOR_PANEL);
  return made;
}

// Bits of f16 of small whole numbers that are not 0, and 0 elsewhere.
uint16_t half_of(int value) {
  if (value == 0) return 0;
  const int size = std::abs(value);
  int exponent = 0;
  while (size >> (exponent + 1)) exponent++;
  return static_cast<uint16_t>((value < 0 ? 0x8000 : 0) | (exponent + 15) << 10 |
                               (size << (10 - exponent) & 1023));
}

// Of each 8 columns at most `kept` are not zero; dense rows of f16, and the same as they are stored.
struct Thin {
  std::vector<uint16_t> dense;
  std::vector<uint8_t> stored;
};
Thin thin(int64_t rows, int64_t cols, int kept, uint64_t seed) {
  const auto random = noise(rows * cols, seed);
  Thin out{std::vector<uint16_t>(rows * cols), {}};
  for (int64_t row = 0; row < rows; row++)
    for (int64_t block = 0; block < cols; block += 16) {
      std::vector<int> places;
      for (int half = 0; half < 16; half += 8) {
        std::vector<int> eight{0, 1, 2, 3, 4, 5, 6, 7};
        std::stable_sort(eight.begin(), eight.end(), [&](int a, int b) {
          return random[row * cols + block + half + a] < random[row * cols + block + half + b];
        });
        eight.resize(kept);
        std::sort(eight.begin(), eight.end());
        for (const int at : eight) places.push_back(half + at);
      }
      std::vector<uint8_t> nibbles(kept);
      for (size_t i = 0; i < places.size(); i++) {
        const int64_t at = row * cols + block + places[i];
        // Some that are kept are zeros.
        out.dense[at] = half_of(static_cast<int>(random[at] * 30));
        out.stored.push_back(static_cast<uint8_t>(out.dense[at]));
        out.stored.push_back(static_cast<uint8_t>(out.dense[at] >> 8));
        nibbles[i / 2] |= static_cast<uint8_t>(places[i] << (4 * (i % 2)));
      }
      out.stored.insert(out.stored.end(), nibbles.begin(), nibbles.end());
    }
  return out;
}

std::vector<float> linear(const lensor_ops& ops, Context* context, const lensor_weight& weight,
                          std::vector<float>& x, int64_t rows) {
  std::vector<float> out(rows * weight.rows, 9);
  lensor_activations a{};
  a.rows = rows, a.cols = weight.cols, a.f32 = x.data();
  const lensor_linear job{&weight, out.data(), weight.rows, 0, nullptr, 0, 0, nullptr, 0, nullptr};
  CHECK_EQ(ops.linear(context, &a, &job, 1), LENSOR_OK);
  return out;
}

std::vector<float> product(const lensor_ops& ops, Context* context, const lensor_weight& weight,
                           std::vector<float>& x, int64_t rows, bool flipped) {
  const int64_t from = flipped ? weight.rows : weight.cols, to = flipped ? weight.cols : weight.rows;
  std::vector<float> out(rows * to, 9);
  const lensor_view a = view(x, {1, rows, from}), o = view(out, {1, rows, to});
  lensor_gemm gemm{};
  gemm.a = &a, gemm.weight = &weight, gemm.flipped = flipped, gemm.compute = LENSOR_F32, gemm.alpha = 1;
  gemm.activation = -1, gemm.out = &o;
  CHECK_EQ(ops.gemm(context, &gemm), LENSOR_OK);
  return out;
}

} // namespace

TEST("what is kept without its zeros is the same matrix, and gives the same bits for one row and for many") {
  for (const int kept : {1, 2, 4})
    for (int64_t cols : {16, 48, 144})
      for (int64_t rows : {1, 16, 37}) {
        const Thin made = thin(rows, cols, kept, cols + rows);
        const int32_t dtype = LENSOR_SPARSE | kept;
        CHECK_EQ((int64_t)made.stored.size(), rows * row_bytes(dtype, cols));
        const Packed dense = packed(ops, LENSOR_F16, rows, cols, made.dense.data()),
                     sparse = packed(ops, dtype, rows, cols, made.stored.data());
        CHECK(sparse.memory.size() * 8 == dense.memory.size() * 5 * kept / 4);
        std::vector<float> a(cols), b(cols);
        for (int64_t row = 0; row < rows; row++) {
          ops.weight_row(&dense.view, row, a.data());
          ops.weight_row(&sparse.view, row, b.data());
          CHECK_SAME(a, b);
        }
        std::vector<uint8_t> back(made.stored.size());
        stored_rows(sparse.view, 0, (rows + LENSOR_PANEL - 1) / LENSOR_PANEL, back.data());
        CHECK(back == made.stored);
        for (int64_t some : {1, 2, 4, 5, 30}) {
          auto x = noise(some * cols, 7), y = noise(some * rows, 8);
          CHECK_SAME(linear(ops, context, dense.view, x, some), linear(ops, context, sparse.view, x, some));
          CHECK_SAME(product(ops, context, dense.view, x, some, false),
                     product(ops, context, sparse.view, x, some, false));
          CHECK_SAME(product(ops, context, dense.view, y, some, true),
                     product(ops, context, sparse.view, y, some, true));
        }
      }
}

TEST("a product of factors is the matrix that they make") {
  const int64_t rows = 37, cols = 51, rank = 19;
  auto down = noise(rank * cols, 1), up = noise(rows * rank, 2);
  const Packed first = packed(ops, LENSOR_F32, rank, cols, down.data()),
               second = packed(ops, LENSOR_F32, rows, rank, up.data());
  lensor_factors factors{first.view, second.view};
  const lensor_weight weight{LENSOR_FACTORS, rows, cols, &factors};
  std::vector<float> all(rows * cols);
  for (int64_t row = 0; row < rows; row++) {
    ops.weight_row(&weight, row, all.data() + row * cols);
    for (int64_t k = 0; k < cols; k++) {
      double sum = 0;
      for (int64_t r = 0; r < rank; r++) sum += (double)up[row * rank + r] * down[r * cols + k];
      CHECK_NEAR(all[row * cols + k], sum, 2e-6);
    }
  }
  const Packed dense = packed(ops, LENSOR_F32, rows, cols, all.data());
  for (const bool flipped : {false, true}) {
    auto x = noise(40 * (flipped ? rows : cols), 3);
    const auto a = product(ops, context, dense.view, x, 40, flipped),
               b = product(ops, context, weight, x, 40, flipped);
    for (size_t i = 0; i < a.size(); i++) CHECK_NEAR(a[i], b[i], 4e-6);
  }
}
