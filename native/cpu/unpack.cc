// A panel's columns as f32: the formats one by one. A function each and none inlined into another: together
// they are more code than a compiler likes to look at, above all without vectors.
#include "unpack.h"
#include "grouped.h"
#include "scales.h"

namespace lensor::LENSOR_ISA {

// One byte of each of 16 lanes of four, as f32.
LENSOR_INLINE f32v byte_f32(i32v w, int at) {
  switch (at) {
  case 0:
    return to_f32(andi(w, set1i(255)));
  case 1:
    return to_f32(andi(shr<8>(w), set1i(255)));
  case 2:
    return to_f32(andi(shr<16>(w), set1i(255)));
  default:
    return to_f32(shr<24>(w));
  }
}

template <int B, int H, int J> LENSOR_INLINE void unpack_codes(const uint8_t* block, f32v* out) {
  const i32v w = codes_at<B, H, J, 0>(block);
  for (int t = 0; t < 4; t++)
    out[16 * H + 4 * J + t] = byte_f32(B == 8 ? xori(w, set1i(in_bytes(128))) : w, t);
}

// 32 columns as f32: w = d (code - 2^(b - 1)) or d code + m, each step rounded by itself.
template <int B>
static void unpack_group(bool minimum, const uint8_t* head, const uint8_t* block, float* out) {
  f32v code[LENSOR_BLOCK];
  unpack_codes<B, 0, 0>(block, code), unpack_codes<B, 0, 1>(block, code);
  unpack_codes<B, 0, 2>(block, code), unpack_codes<B, 0, 3>(block, code);
  unpack_codes<B, 1, 0>(block, code), unpack_codes<B, 1, 1>(block, code);
  unpack_codes<B, 1, 2>(block, code), unpack_codes<B, 1, 3>(block, code);
  const f32v d = load_f16((const uint16_t*)head), m = load_f16((const uint16_t*)(head + 32));
  for (int i = 0; i < LENSOR_BLOCK; i++)
    store(out + 16 * i, minimum ? add(mul(d, code[i]), m) : mul(d, sub(code[i], set1(1 << (B - 1)))));
}

static void unpack_grouped(int32_t dtype, const uint8_t* panel, int64_t k, float* out) {
  const int bits = grouped_bits(dtype), group = group_cols(dtype);
  const bool minimum = has_minimum(dtype);
  const uint8_t* head = panel + k / group * (LENSOR_PANEL * row_block_bytes(dtype));
  const uint8_t* block = head + (minimum ? 64 : 32) + k % group / LENSOR_BLOCK * (64 * bits);
  switch (bits) {
  case 2:
    return unpack_group<2>(minimum, head, block, out);
  case 3:
    return unpack_group<3>(minimum, head, block, out);
  case 4:
    return unpack_group<4>(minimum, head, block, out);
  case 5:
    return unpack_group<5>(minimum, head, block, out);
  case 6:
    return unpack_group<6>(minimum, head, block, out);
  default:
    return unpack_group<8>(minimum, head, block, out);
  }
}

// The 32 columns whose low nibbles stand at `nibbles` and whose fifth (and sixth) bits `high` gives, which
// pass through `value` as integers.
template <int T, int H, int J, class F>
LENSOR_INLINE void unpack_four(const uint8_t* nibbles, const i32v* high, const F& value, float* out) {
  const i32v w = weight_bytes_at<T, H, J>(nibbles, high);
  for (int t = 0; t < 4; t++) store(out + (16 * H + 4 * J + t) * 16, value(byte_f32(w, t), H));
}
template <int T, class F>
LENSOR_INLINE void unpack_nibbles(const uint8_t* nibbles, const i32v* high, const F& value, float* out) {
  unpack_four<T, 0, 0>(nibbles, high, value, out), unpack_four<T, 0, 1>(nibbles, high, value, out);
  unpack_four<T, 0, 2>(nibbles, high, value, out), unpack_four<T, 0, 3>(nibbles, high, value, out);
  unpack_four<T, 1, 0>(nibbles, high, value, out), unpack_four<T, 1, 1>(nibbles, high, value, out);
  unpack_four<T, 1, 2>(nibbles, high, value, out), unpack_four<T, 1, 3>(nibbles, high, value, out);
}

template <int T> static void unpack_low(const uint8_t* block, float* out) {
  constexpr bool kMinimum = has_minimum(T), kFifth = T == LENSOR_Q5_0 || T == LENSOR_Q5_1;
  constexpr int kHead = 16 * scale_bytes(T) * (kMinimum ? 2 : 1);
  const f32v d = scale_of<T>(block);
  const f32v m = kMinimum ? load_f16((const uint16_t*)(block + 32)) : set1(kMiddle<T>);
  const i32v high = kFifth ? loadi(block + kHead) : zeroi();
  unpack_nibbles<T>(
      block + kHead + (kFifth ? 64 : 0), &high,
      [&](f32v v, int) { return kMinimum ? add(mul(d, v), m) : mul(d, sub(v, m)); }, out);
}

// 32 columns of a block of 256, the at-th.
template <int T> static void unpack_super(const uint8_t* block, int at, float* out) {
  const Group group = group_of<T>(block, at);
  const uint8_t* bits = bits_of<T>(block, at);
  i32v high[kHigh<T>];
  load_high<T>(bits, high);
  constexpr int kOffset = T == LENSOR_Q6_K ? 32 : 4;
  unpack_nibbles<T>(
      bits, high,
      [&](f32v v, int half) {
        return has_minimum(T) ? add(mul(group.scale[half], v), group.minimum[half])
                              : mul(group.scale[half], sub(v, set1(kOffset)));
      },
      out);
}

static void unpack_q8(const uint8_t* block, float* out) {
  const f32v d = load_f16((const uint16_t*)block);
  for (int j = 0; j < 8; j++) {
    // With its sign bit flipped a signed byte is its value plus 128.
    const i32v w = xori(loadi(block + 32 + 64 * j), set1i((int32_t)0x80808080));
    for (int t = 0; t < 4; t++) store(out + (4 * j + t) * 16, mul(d, sub(byte_f32(w, t), set1(128))));
  }
}

// 16 columns of a block that keeps some of them.
static void unpack_sparse(const uint8_t* block, int kept, float* out) {
  const uint8_t* places = block + 64 * kept;
  memset(out, 0, 16 * LENSOR_PANEL * sizeof(float));
  for (int i = 0; i < 2 * kept; i++) {
    float values[LENSOR_PANEL];
    store(values, load_f16((const uint16_t*)block + 16 * i));
    for (int r = 0; r < LENSOR_PANEL; r++)
      out[(places[r * kept + i / 2] >> (4 * (i % 2)) & 15) * LENSOR_PANEL + r] = values[r];
  }
}

void unpack(int32_t dtype, const uint8_t* panel, int64_t k, int n, float* out) {
  if (is_sparse(dtype)) {
    const int kept = sparse_kept(dtype);
    for (int i = 0; i < n; i += 16) unpack_sparse(panel + (k + i) * 5 * kept, kept, out + 16 * i);
    return;
  }
  if (is_grouped(dtype)) return unpack_grouped(dtype, panel, k, out);
  switch (dtype) {
  case LENSOR_Q4_0:
    return unpack_low<LENSOR_Q4_0>(panel + k / 32 * (16 * 18), out);
  case LENSOR_Q4_1:
    return unpack_low<LENSOR_Q4_1>(panel + k / 32 * (16 * 20), out);
  case LENSOR_Q5_0:
    return unpack_low<LENSOR_Q5_0>(panel + k / 32 * (16 * 22), out);
  case LENSOR_Q5_1:
    return unpack_low<LENSOR_Q5_1>(panel + k / 32 * (16 * 24), out);
  case LENSOR_Q2_K:
    return unpack_super<LENSOR_Q2_K>(panel + k / 256 * (16 * 84), (int)(k % 256 / 32), out);
  case LENSOR_Q3_K:
    return unpack_super<LENSOR_Q3_K>(panel + k / 256 * (16 * 110), (int)(k % 256 / 32), out);
  case LENSOR_Q4_K:
    return unpack_super<LENSOR_Q4_K>(panel + k / 256 * (16 * 144), (int)(k % 256 / 32), out);
  case LENSOR_Q5_K:
    return unpack_super<LENSOR_Q5_K>(panel + k / 256 * (16 * 176), (int)(k % 256 / 32), out);
  case LENSOR_MXFP4:
    return unpack_low<LENSOR_MXFP4>(panel + k / 32 * (16 * 17), out);
  case LENSOR_Q6_K:
    return unpack_super<LENSOR_Q6_K>(panel + k / 256 * (16 * 210), (int)(k % 256 / 32), out);
  case LENSOR_Q8_0:
    return unpack_q8(panel + k / 32 * (16 * 34), out);
  case LENSOR_F16:
    for (int i = 0; i < n; i++) store(out + 16 * i, load_f16((const uint16_t*)panel + 16 * (k + i)));
    return;
  case LENSOR_BF16:
    for (int i = 0; i < n; i++) store(out + 16 * i, load_bf16((const uint16_t*)panel + 16 * (k + i)));
    return;
  default:
    for (int i = 0; i < n; i++) store(out + 16 * i, load((const float*)panel + 16 * (k + i)));
  }
}

} // namespace lensor::LENSOR_ISA
