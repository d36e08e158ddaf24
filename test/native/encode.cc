// Rows as blocks of GGUF: what comes back is near what went in, for numbers of every size; the bytes
// themselves are compared with llama.cpp's in test/lib/quantize. Runs once, not for each instruction set: the
// code knows none.
#include "../../native/quant/encode.h"
#include "../../native/quant/half.h"
#include "../../native/quant/panel.h"
#include "check.h"
#include <cmath>

using namespace lensor;
using namespace lensor::test;

namespace {

constexpr int64_t kCols = 512, kRows = 3;

std::vector<float> decoded(const lensor_ops& ops, int32_t dtype, const std::vector<uint8_t>& bytes) {
  std::vector<uint8_t> memory(ops.weight_bytes(dtype, kRows, kCols));
  const lensor_weight weight{dtype, kRows, kCols, memory.data()};
  std::vector<const void*> rows;
  for (int64_t r = 0; r < kRows; r++) rows.push_back(bytes.data() + r * row_bytes(dtype, kCols));
  ops.weight_pack(&weight, rows.data(), 0, 1);
  std::vector<float> out(kRows * kCols);
  for (int64_t r = 0; r < kRows; r++) ops.weight_row(&weight, r, out.data() + r * kCols);
  return out;
}

// The most that a type may be off, as a part of the root of its sums of squares.
struct Line {
  int32_t dtype;
  double off;
};
constexpr Line kTypes[] = {{LENSOR_Q2_K, 0.35}, {LENSOR_Q3_K, 0.17}, {LENSOR_Q4_0, 0.1},
                           {LENSOR_Q4_1, 0.08}, {LENSOR_Q4_K, 0.08}, {LENSOR_Q5_0, 0.05},
                           {LENSOR_Q5_1, 0.04}, {LENSOR_Q5_K, 0.04}, {LENSOR_Q6_K, 0.025},
                           {LENSOR_Q8_0, 0.006}};

} // namespace

TEST("rows in blocks are near what they were, weighed or not, and zeros stay zeros") {
  std::vector<float> importance = noise(kCols, 4);
  for (float& x : importance) x = x * x + 1e-3f;
  for (const auto [dtype, off] : kTypes)
    for (const float size : {0.0f, 1e-3f, 1.0f, 30.0f})
      for (const float* weights :
           {static_cast<const float*>(nullptr), static_cast<const float*>(importance.data())}) {
        std::vector<float> x = noise(kRows * kCols, 3);
        for (float& v : x) v *= size;
        std::vector<uint8_t> bytes(kRows * row_bytes(dtype, kCols));
        encode_rows(dtype, x.data(), kRows, kCols, weights, bytes.data());
        const auto back = decoded(ops, dtype, bytes);
        double lost = 0, all = 0;
        for (size_t i = 0; i < x.size(); i++) {
          lost += (back[i] - x[i]) * (back[i] - x[i]) * (weights ? weights[i % kCols] : 1.0f);
          all += x[i] * x[i] * (weights ? weights[i % kCols] : 1.0f);
        }
        CHECK(std::sqrt(lost) <= off * std::sqrt(all));
      }
}

TEST("numbers next to nothing, of one sign or all the same make blocks without infinities") {
  for (const Line& line : kTypes)
    for (const float base : {1e-42f, -1e-30f, -7.0f, 3.0f}) {
      std::vector<float> x(kRows * kCols, base);
      for (size_t i = kCols; i < x.size(); i += 3) x[i] *= 1.5f;
      std::vector<uint8_t> bytes(kRows * row_bytes(line.dtype, kCols));
      encode_rows(line.dtype, x.data(), kRows, kCols, nullptr, bytes.data());
      for (float value : decoded(ops, line.dtype, bytes))
        CHECK(std::abs(value) <= 1.5 * std::abs(base) * 1.2);
    }
}

TEST("a half is the nearest, and comes back") {
  for (uint32_t h = 0; h < 0x7c00; h++) {
    const float value = from_half(static_cast<uint16_t>(h)), next = from_half(static_cast<uint16_t>(h + 1));
    CHECK_EQ(to_half(value), h);
    CHECK_EQ(to_half(-value), h | 0x8000);
    if (h == 0x7bff) break;
    const float middle = (value + next) / 2; // exact
    CHECK_EQ(to_half(middle), h % 2 ? h + 1 : h);
    CHECK_EQ(to_half(std::nextafter(middle, 1e9f)), h + 1);
  }
  CHECK_EQ(to_half(65519), 0x7bff);
  CHECK_EQ(to_half(65520), 0x7c00);
  CHECK_EQ(to_half(-INFINITY), 0xfc00);
  CHECK_EQ(from_half(0xfc00), -INFINITY);
  CHECK(std::isnan(from_half(to_half(NAN))));
}
