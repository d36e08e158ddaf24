// Weights and linear layers: packing loses nothing, exact mode against sums in double of the dequantized
// weights, fast mode against its own formula in double, and the same bits whatever the number of rows.
#include "../../native/quant/panel.h"
#include "../../native/quant/rows.h"
#include "tolerance.h"

using namespace lensor;
using namespace lensor::test;

namespace {

float widen(uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  const double value = exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
  return static_cast<float>(h & 0x8000 ? -value : value);
}

// The j-th of eight scales and minima of 6 bits in twelve bytes.
int six(const uint8_t* q, int j, bool minimum) {
  if (j < 4) return q[j + (minimum ? 4 : 0)] & 63;
  return (q[j + 4] >> (minimum ? 4 : 0) & 15) | q[j - (minimum ? 0 : 4)] >> 6 << 4;
}
// The j-th of sixteen, signed.
int six_of_sixteen(const uint8_t* q, int j) {
  return ((q[j % 8] >> (j < 8 ? 0 : 4) & 15) | (q[8 + j % 4] >> (2 * (j / 4)) & 3) << 4) - 32;
}

// Column i of a block in units of its scale, as ggml-common.h and ggml-quants.c define the formats.
double number(int32_t dtype, const uint8_t* block, int i) {
  if (is_grouped(dtype)) {
    const int bits = grouped_bits(dtype), first = i * bits;
    const uint8_t* codes = block + (has_minimum(dtype) ? 4 : 2);
    int code = 0;
    for (int b = 0; b < bits; b++) code |= (codes[(first + b) / 8] >> ((first + b) % 8) & 1) << b;
    return has_minimum(dtype) ? code : code - (1 << (bits - 1));
  }
  const auto nibble = [i](const uint8_t* q) { return i < 16 ? q[i] & 15 : q[i - 16] >> 4; };
  const auto fifth = [i](const uint8_t* bits) { return (bits[i / 8] >> (i % 8) & 1) << 4; };
  switch (dtype) {
  case LENSOR_Q4_0:
    return nibble(block + 2) - 8;
  case LENSOR_MXFP4: {
    constexpr double kFloats[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    const int code = nibble(block + 1);
    return code & 8 ? -kFloats[code & 7] : kFloats[code & 7];
  }
  case LENSOR_Q4_1:
    return nibble(block + 4);
  case LENSOR_Q5_0:
    return (nibble(block + 6) | fifth(block + 2)) - 16;
  case LENSOR_Q5_1:
    return nibble(block + 8) | fifth(block + 4);
  case LENSOR_Q6_K: {
    const int half = i / 128, quarter = i % 128 / 32, l = i % 32;
    const int low = block[64 * half + 32 * (quarter & 1) + l] >> (quarter < 2 ? 0 : 4) & 15;
    const int upper = block[128 + 32 * half + l] >> (2 * quarter) & 3;
    return static_cast<int8_t>(block[192 + i / 16]) * ((low | upper << 4) - 32);
  }
  case LENSOR_Q2_K:
    return (block[i / 16] & 15) * (block[16 + 32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32)) & 3);
  case LENSOR_Q3_K: {
    const int two = block[32 + 32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32)) & 3;
    return six_of_sixteen(block + 96, i / 16) * (two - (block[i % 32] >> (i / 32) & 1 ? 0 : 4));
  }
  case LENSOR_Q4_K:
    return six(block + 4, i / 32, false) * (block[16 + 32 * (i / 64) + i % 32] >> (4 * (i / 32 % 2)) & 15);
  case LENSOR_Q5_K: {
    const int low = block[48 + 32 * (i / 64) + i % 32] >> (4 * (i / 32 % 2)) & 15;
    return six(block + 4, i / 32, false) * (low | (block[16 + i % 32] >> (i / 32) & 1) << 4);
  }
  default:
    return static_cast<int8_t>(block[2 + i]);
  }
}

// And its minimum in units of the block's own.
int minimum_of(int32_t dtype, const uint8_t* block, int i) {
  if (dtype == LENSOR_Q2_K) return -(block[i / 16] >> 4);
  return is_super(dtype) ? -six(block + 4, i / 32, true) : 1;
}

// Where d stands in a block, and its minimum, if there is one.
int scale_at(int32_t dtype) { return is_super(dtype) ? super_block(dtype).scale : 0; }
int minimum_at(int32_t dtype) { return is_super(dtype) ? super_block(dtype).minimum : 2; }

// Rows in the file's layout, made of noise: any bytes are a weight, scales are kept near one.
struct Matrix {
  int32_t dtype;
  int64_t rows, cols;
  std::vector<uint8_t> bytes;
  std::vector<double> values; // [rows, cols], what the bytes stand for
};

Matrix random_matrix(int32_t dtype, int64_t rows, int64_t cols) {
  Matrix m{dtype, rows, cols, std::vector<uint8_t>(rows * row_bytes(dtype, cols)),
           std::vector<double>(rows * cols)};
  const auto random = noise(m.bytes.size(), dtype + 1);
  const auto scale = [](float x) { return static_cast<uint16_t>(0x2c00 + static_cast<int>((x + 1) * 900)); };
  for (size_t i = 0; i < m.bytes.size(); i++) m.bytes[i] = static_cast<uint8_t>((random[i] + 1) * 127.9f);
  for (int64_t r = 0; r < rows; r++) {
    uint8_t* row = m.bytes.data() + r * row_bytes(dtype, cols);
    for (int64_t k = 0; k < cols; k++) {
      double& value = m.values[r * cols + k];
      if (!is_quantized(dtype)) {
        const float x = noise(1, r * cols + k + 7)[0];
        uint32_t bits;
        std::memcpy(&bits, &x, 4);
        const uint16_t high = static_cast<uint16_t>(bits >> 16), half = scale(x);
        if (dtype == LENSOR_F32)
          std::memcpy(row + 4 * k, &x, 4), value = x;
        else if (dtype == LENSOR_F16)
          std::memcpy(row + 2 * k, &half, 2), value = widen(half);
        else {
          bits &= 0xffff0000;
          float cut;
          std::memcpy(&cut, &bits, 4);
          std::memcpy(row + 2 * k, &high, 2), value = cut;
        }
        continue;
      }
      const int64_t size = block_cols(dtype);
      uint8_t* block = row + k / size * row_block_bytes(dtype);
      const int i = static_cast<int>(k % size);
      const int head = scale_at(dtype), least = minimum_at(dtype);
      if (dtype == LENSOR_MXFP4) {
        // Some of any exponent, so small ones too, the rest near one.
        if (i == 0) block[0] = static_cast<uint8_t>(r % 16 == 15 ? k / 32 % 3 : 120 + (block[0] & 7));
        value = std::ldexp(number(dtype, block, i), block[0] - 127);
        continue;
      }
      if (i == 0) {
        const uint16_t d = scale(random[(r * cols + k) % random.size()]),
                       low = static_cast<uint16_t>(d | 0x8000);
        std::memcpy(block + head, &d, 2);
        if (has_minimum(dtype)) std::memcpy(block + least, &low, 2);
      }
      uint16_t d, low = 0;
      std::memcpy(&d, block + head, 2);
      if (has_minimum(dtype)) std::memcpy(&low, block + least, 2);
      value = widen(d) * number(dtype, block, i) + widen(low) * minimum_of(dtype, block, i);
    }
  }
  return m;
}

struct Packed {
  std::vector<uint8_t> memory;
  lensor_weight view;
};

Packed pack(const lensor_ops& ops, const Matrix& m) {
  Packed p{std::vector<uint8_t>(ops.weight_bytes(m.dtype, m.rows, m.cols)), {}};
  p.view = {m.dtype, m.rows, m.cols, p.memory.data()};
  std::vector<const void*> rows;
  for (int64_t r = 0; r < m.rows; r++) rows.push_back(m.bytes.data() + r * row_bytes(m.dtype, m.cols));
  ops.weight_pack(&p.view, rows.data(), 0, (m.rows + 15) / 16);
  return p;
}

struct Rounded {
  std::vector<int8_t> q8;
  std::vector<int16_t> q16;
  std::vector<float> scale8, part8, total8, scale16;
};

std::vector<float> multiply(const lensor_ops& ops, Context* context, const Packed& weight,
                            const std::vector<float>& x, bool fast, Rounded* keep = nullptr,
                            std::vector<float> out = {}) {
  const int64_t cols = weight.view.cols, rows = static_cast<int64_t>(x.size()) / cols;
  const bool accumulate = !out.empty();
  out.resize(rows * weight.view.rows);
  Rounded r{std::vector<int8_t>(x.size()),         std::vector<int16_t>(x.size()),
            std::vector<float>(x.size() / 16 + 1), std::vector<float>(x.size() / 16 + 1),
            std::vector<float>(x.size() / 32 + 1), std::vector<float>(x.size() / 32 + 1)};
  lensor_activations a{};
  a.rows = rows, a.cols = cols, a.f32 = x.data();
  if (fast) {
    a.q8 = r.q8.data(), a.scale8 = r.scale8.data(), a.part8 = r.part8.data();
    a.total8 = r.total8.data();
    a.q16 = r.q16.data(), a.scale16 = r.scale16.data();
    CHECK_EQ(ops.quantize(context, &a), LENSOR_OK);
  }
  const lensor_linear job{&weight.view, out.data(), weight.view.rows, accumulate, nullptr, 0, 0,
                          nullptr,      0,          nullptr};
  CHECK_EQ(ops.linear(context, &a, &job, 1), LENSOR_OK);
  if (keep) *keep = r;
  return out;
}

constexpr int32_t kBlocks[] = {LENSOR_MXFP4, LENSOR_Q4_0, LENSOR_Q4_1, LENSOR_Q8_0, LENSOR_Q5_0, LENSOR_Q5_1,
                               LENSOR_Q6_K,  LENSOR_Q2_K, LENSOR_Q3_K, LENSOR_Q4_K, LENSOR_Q5_K};

std::vector<int32_t> quantized() {
  std::vector<int32_t> all(std::begin(kBlocks), std::end(kBlocks));
  for (const int bits : {2, 3, 4, 5, 6, 8})
    for (const int group : {32, 64, 128})
      for (const bool minimum : {false, true}) all.push_back(grouped_type(bits, group, minimum));
  return all;
}

std::vector<int32_t> types() {
  std::vector<int32_t> all = quantized();
  all.insert(all.begin(), {LENSOR_F32, LENSOR_F16, LENSOR_BF16});
  return all;
}

// The fewest columns from `some` on that a type can have.
int64_t columns(int32_t dtype, int64_t some) {
  const int64_t block = block_cols(dtype);
  return (some + block - 1) / block * block;
}

} // namespace

TEST("a packed weight gives its rows back") {
  for (int32_t dtype : types()) {
    const Matrix m = random_matrix(dtype, 37, columns(dtype, is_quantized(dtype) ? 96 : 50));
    const Packed p = pack(ops, m);
    std::vector<float> row(m.cols);
    for (int64_t r = 0; r < m.rows; r++) {
      ops.weight_row(&p.view, r, row.data());
      for (int64_t k = 0; k < m.cols; k++) CHECK_EQ(row[k], static_cast<float>(m.values[r * m.cols + k]));
    }
    std::vector<uint8_t> back(m.bytes.size());
    stored_rows(p.view, 0, (m.rows + 15) / 16, back.data());
    CHECK(back == m.bytes);
  }
}

TEST("packed rows come back as they were stored, bit for bit") {
  for (int32_t dtype : types()) {
    const Matrix m = random_matrix(dtype, 37, columns(dtype, is_quantized(dtype) ? 96 : 50));
    const Packed p = pack(ops, m);
    std::vector<uint8_t> rows(m.bytes.size());
    stored_rows(p.view, 0, (m.rows + 15) / 16, rows.data());
    CHECK_SAME(rows, m.bytes);
  }
}

TEST("exact products are sums of the dequantized weights") {
  for (int32_t dtype : types()) {
    const Tolerance within = tolerance(ops, "weight, exact", dtype);
    const Matrix m = random_matrix(dtype, 37, columns(dtype, is_quantized(dtype) ? 384 : 301));
    const Packed p = pack(ops, m);
    const auto x = noise(3 * m.cols, 5);
    const auto out = multiply(ops, context, p, x, false);
    for (int64_t t = 0; t < 3; t++)
      for (int64_t r = 0; r < m.rows; r++) {
        double wanted = 0, size = 0;
        for (int64_t k = 0; k < m.cols; k++) {
          wanted += m.values[r * m.cols + k] * x[t * m.cols + k];
          size += std::abs(m.values[r * m.cols + k]);
        }
        CHECK_NEAR(out[t * m.rows + r] / size, wanted / size, within);
      }
  }
}

TEST("fast products are integer sums with the scales applied") {
  for (int32_t dtype : quantized()) {
    const Tolerance within = tolerance(ops, "weight, fast", dtype);
    const Matrix m = random_matrix(dtype, 37, columns(dtype, 384));
    const Packed p = pack(ops, m);
    const auto x = noise(5 * m.cols, 6);
    Rounded q;
    const auto out = multiply(ops, context, p, x, true, &q);
    double worst = 0;
    for (int64_t t = 0; t < 5; t++)
      for (int64_t r = 0; r < m.rows; r++) {
        double wanted = 0, size = 0;
        for (int64_t k = 0; k < m.cols; k++) {
          const int64_t at = t * m.cols + k;
          // 16-bit values of each four lie in the order 0 2 1 3.
          const int64_t swapped = at % 4 == 1 ? at + 1 : at % 4 == 2 ? at - 1 : at;
          const double a = takes_wide(dtype) ? static_cast<double>(q.q16[swapped]) * q.scale16[at / 32]
                                             : static_cast<double>(q.q8[at]) * q.scale8[at / 16];
          // Half a step at most between a value and what it was rounded to.
          worst = std::max(worst, std::abs(a - x[at]) /
                                      (takes_wide(dtype) ? q.scale16[at / 32] : q.scale8[at / 16]));
          wanted += m.values[r * m.cols + k] * a;
          size += std::abs(m.values[r * m.cols + k]);
        }
        CHECK_NEAR(out[t * m.rows + r] / size, wanted / size, within);
      }
    // A 16-bit value times its scale in f32 is off by another 2^-24 of 32767 steps.
    CHECK(worst <= 0.5 + 4e-3);
  }
}

TEST("a row's products have the same bits alone and among others, and add to what is there") {
  for (int32_t dtype : types())
    for (bool fast : {false, true}) {
      const Matrix m = random_matrix(dtype, 50, 256);
      const Packed p = pack(ops, m);
      const int64_t rows = 131;
      const auto x = noise(rows * m.cols, 8);
      const auto all = multiply(ops, context, p, x, fast);
      std::vector<float> one;
      for (int64_t t = 0; t < rows; t++) {
        const auto row =
            multiply(ops, context, p, {x.begin() + t * m.cols, x.begin() + (t + 1) * m.cols}, fast);
        one.insert(one.end(), row.begin(), row.end());
      }
      CHECK_SAME(all, one);
      const auto before = noise(all.size(), 9);
      const auto sum = multiply(ops, context, p, x, fast, nullptr, before);
      std::vector<float> wanted;
      for (size_t i = 0; i < all.size(); i++) wanted.push_back(before[i] + all[i]);
      CHECK_SAME(sum, wanted);
    }
}

TEST("zeros, infinities and NaN are rounded to something finite and harmless") {
  const Matrix m = random_matrix(LENSOR_Q4_1, 16, 64);
  const Packed p = pack(ops, m);
  std::vector<float> x(64, 0.0f);
  for (float value : multiply(ops, context, p, x, true)) CHECK_EQ(value, 0.0f);
  for (float bad : {INFINITY, -INFINITY, NAN}) {
    x[3] = bad;
    Rounded q;
    multiply(ops, context, p, x, true, &q);
    for (int i = 16; i < 64; i++) CHECK_EQ(q.q8[i], 0);
  }
}
