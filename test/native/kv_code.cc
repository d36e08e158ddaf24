// Codes of keys and values: what comes back is as near as the code's own arithmetic says.
#include "check.h"
#include <algorithm>
#include <numeric>

using namespace lensor::test;

namespace {

struct Kept {
  std::vector<uint8_t> bytes;
  std::vector<float> rows; // [count][width], decoded
};

Kept through(const lensor_ops& ops, Context* context, const lensor_kv_code& code,
             const std::vector<float>& rows, int32_t count, int32_t width, bool values) {
  const int32_t room = (count + 15) / 16 * 16, padded = (width + 15) / 16 * 16;
  Kept kept{std::vector<uint8_t>(ops.kv_code_bytes(&code, width, room, values) + 64),
            std::vector<float>(count * width)};
  CHECK_EQ(ops.kv_encode(context, &code, rows.data(), width, count, width, room, values, kept.bytes.data()),
           LENSOR_OK);
  std::vector<float> out(room * padded);
  ops.kv_decode(&code, kept.bytes.data(), width, room, values, out.data());
  for (int32_t j = 0; j < count; j++)
    for (int32_t i = 0; i < width; i++)
      kept.rows[j * width + i] = values ? out[j * padded + i] : out[i * room + j];
  return kept;
}

double squares(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i++) sum += double(a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

lensor_kv_code bits_code(int bits, bool per_token, bool rotated = false) {
  lensor_kv_code code{};
  code.kind = LENSOR_KV_BITS, code.bits = bits, code.per_token = per_token, code.rotated = rotated;
  return code;
}

} // namespace

TEST("codes of 2, 3, 4 and 8 bits are off by at most half a step of their group") {
  for (const bool values : {false, true})
    for (const bool per_token : {false, true})
      for (const int bits : {2, 3, 4, 8})
        for (const auto& [count, width] : {std::pair(64, 64), std::pair(17, 40), std::pair(1, 8)}) {
          auto rows = noise(count * width, bits);
          // One channel and one token stand far off, so that a wrong group shows.
          for (int j = 0; j < count; j++) rows[j * width + 3] = 40 + 3 * rows[j * width + 3];
          for (int i = 0; i < width; i++) rows[(count - 1) * width + i] *= 7;
          const auto kept = through(ops, context, bits_code(bits, per_token), rows, count, width, values);
          const int groups = per_token ? count : width, size = per_token ? width : count;
          for (int g = 0; g < groups; g++) {
            float least = INFINITY, most = -INFINITY, largest = 0;
            double worst = 0, error = 0;
            for (int i = 0; i < size; i++) {
              const int at = per_token ? g * width + i : i * width + g;
              least = std::min(least, rows[at]), most = std::max(most, rows[at]);
              largest = std::max(largest, std::abs(rows[at]));
              const double off = std::abs(rows[at] - kept.rows[at]);
              worst = std::max(worst, off), error += off * off;
            }
            // Scale and offset are rounded to f16; least squares may trade the worst for the sum.
            const double step = (most - least) / ((1 << bits) - 1), rounding = largest * 2e-3;
            CHECK(std::sqrt(error / size) <= step / 2 + rounding);
            CHECK(worst <= 1.5 * step + rounding);
          }
        }
}

TEST("codes take the bits they are named for, and two f16 a group") {
  for (const int bits : {2, 3, 4, 8}) {
    const auto code = bits_code(bits, false);
    CHECK_EQ(ops.kv_code_bytes(&code, 64, 64, 0), size_t(64 * 64 * bits / 8 + 4 * 64));
    CHECK_EQ(ops.kv_code_bytes(&code, 64, 16, 0), size_t(64 * 16 * bits / 8 + 4 * 64));
    CHECK_EQ(ops.kv_code_bytes(&code, 64, 64, 1), size_t(64 * 64 * bits / 8 + 4 * 64));
  }
}

TEST("a group of equal numbers comes back as it is in f16") {
  for (const bool per_token : {false, true})
    for (const bool values : {false, true}) {
      const std::vector<float> rows(20 * 32, -3.5f);
      CHECK_SAME(through(ops, context, bits_code(2, per_token), rows, 20, 32, values).rows, rows);
    }
}

TEST("a Hadamard rotation spreads an outlier over its token, and turns back") {
  for (const bool values : {false, true})
    for (const int width : {2, 8, 16, 32, 64, 128}) {
      const int count = 48;
      auto rows = noise(count * width, 3);
      const auto fine = through(ops, context, bits_code(8, true, true), rows, count, width, values);
      for (int i = 0; i < count * width; i++) CHECK_NEAR(fine.rows[i], rows[i], 0.02);
      if (width < 32) continue;
      for (int j = 0; j < count; j++) rows[j * width + 5] += 8;
      const auto plain = through(ops, context, bits_code(3, true), rows, count, width, values);
      const auto turned = through(ops, context, bits_code(3, true, true), rows, count, width, values);
      CHECK(squares(turned.rows, rows) < 0.5 * squares(plain.rows, rows));
    }
}

TEST("coordinates in a basis of full rank give everything back, of fewer axes the projection") {
  for (const bool values : {false, true})
    for (const int32_t width : {40, 64}) {
      const int32_t count = 50, padded = (width + 15) / 16 * 16;
      const auto rows = noise(count * width, 5);
      // Householder's reflection I - 2 u u^T: orthonormal, and dense.
      auto u = noise(width, 9);
      const double length = std::sqrt(std::inner_product(u.begin(), u.end(), u.begin(), 0.0));
      std::vector<float> basis(width * padded);
      for (int r = 0; r < width; r++)
        for (int i = 0; i < width; i++)
          basis[r * padded + i] = float((r == i) - 2 * u[r] * u[i] / length / length);
      lensor_kv_code code{};
      code.kind = LENSOR_KV_RANK, code.dtype = LENSOR_F32, code.basis = basis.data();
      for (const int32_t rank : {width, width / 2, 5, 1}) {
        code.rank = rank;
        const auto kept = through(ops, context, code, rows, count, width, values);
        for (int j = 0; j < count; j += 7)
          for (int i = 0; i < width; i += 3) {
            double wanted = 0;
            for (int r = 0; r < rank; r++) {
              double x = 0;
              for (int k = 0; k < width; k++) x += double(rows[j * width + k]) * basis[r * padded + k];
              wanted += x * basis[r * padded + i];
            }
            CHECK_NEAR(kept.rows[j * width + i], rank == width ? rows[j * width + i] : wanted, 2e-6);
          }
      }
      code.rank = width, code.dtype = LENSOR_F16;
      const auto half = through(ops, context, code, rows, count, width, values);
      for (int i = 0; i < count * width; i++) CHECK_NEAR(half.rows[i], rows[i], 4e-3);
      CHECK_EQ(ops.kv_code_bytes(&code, width, 64, values), size_t(64 * width * 2));
    }
}

TEST("kept channels come back, the others are zero") {
  const int32_t count = 33, width = 40;
  const auto rows = noise(count * width, 6);
  std::vector<int32_t> channels;
  for (int32_t c = 1; c < width; c += 2) channels.push_back(c);
  lensor_kv_code code{};
  code.kind = LENSOR_KV_CHANNELS, code.dtype = LENSOR_F32, code.channels = channels.data(),
  code.rank = int32_t(channels.size());
  for (const bool values : {false, true}) {
    const auto kept = through(ops, context, code, rows, count, width, values);
    for (int i = 0; i < count * width; i++) CHECK_EQ(kept.rows[i], i % width % 2 ? rows[i] : 0.0f);
  }
}
