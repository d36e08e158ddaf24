// Scales and minima of panels whose blocks have 256 columns (quant/panel.h), a lane a row: of 32 columns at a
// time, those of their two halves. Each is a product with its block's scale, rounded as the format's own
// reference does. See vec.h for what this file may include.
#pragma once
#include "product.h"

namespace lensor::LENSOR_ISA {

// w = scale q + minimum; where a format has no minimum, w = scale (q - its middle).
struct Group {
  f32v scale[2], minimum[2];
};

template <int T> constexpr SuperBlock kSuper = super_block(T);
template <int T> constexpr int kCodes = kSuper<T>.minimum < 0 ? 32 : 64; // where scales begin

// The lower bits of 32 columns, the at-th, of a block.
template <int T> LENSOR_INLINE const uint8_t* bits_of(const uint8_t* block, int at) {
  constexpr int kStep = 64 * (kSuper<T>.planes[0].bits + kSuper<T>.planes[1].bits);
  return block + kCodes<T> + 16 * kSuper<T>.scales_bytes + kStep * at;
}

template <int T> LENSOR_INLINE Group group_of(const uint8_t* block, int at) {
  const int8_t* codes = (const int8_t*)block + kCodes<T>; // [bytes][16]
  const f32v d = load_f16((const uint16_t*)block);
  const auto scaled = [&](i32v a, i32v b) -> Group {
    const f32v first = mul(d, to_f32(a)), second = mul(d, to_f32(b));
    return {{first, second}, {first, second}};
  };
  if constexpr (T == LENSOR_Q6_K) return scaled(load_i8(codes + 32 * at), load_i8(codes + 32 * at + 16));
  const i32v four = set1i(15), upper_two = set1i(48);
  // A minimum is taken away.
  const f32v m = sub(zero(), load_f16((const uint16_t*)(block + (has_minimum(T) ? 32 : 0))));
  if constexpr (T == LENSOR_Q2_K) {
    const i32v first = load_i8(codes + 32 * at), second = load_i8(codes + 32 * at + 16);
    return {{mul(d, to_f32(andi(first, four))), mul(d, to_f32(andi(second, four)))},
            {mul(m, to_f32(andi(shr<4>(first), four))), mul(m, to_f32(andi(shr<4>(second), four)))}};
  }
  const i32v lower = load_i8(codes + 16 * at);
  const i32v upper = shr_by(load_i8(codes + 128 + 16 * (at / 2)), at % 2 * 4);
  const i32v a = ori(andi(lower, four), andi(shl<4>(upper), upper_two));
  const i32v b = ori(andi(shr<4>(lower), four), andi(shl<2>(upper), upper_two));
  if constexpr (T == LENSOR_Q3_K) return scaled(subi(a, set1i(32)), subi(b, set1i(32)));
  const f32v scale = mul(d, to_f32(a)), minimum = mul(m, to_f32(b));
  return {{scale, scale}, {minimum, minimum}};
}

// What stands above the nibbles of 32 columns, or in place of them.
template <int T> LENSOR_INLINE void load_high(const uint8_t* bits, i32v (&high)[kHigh<T>]) {
  constexpr int kNibbles = T == LENSOR_Q2_K || T == LENSOR_Q3_K ? 0 : 256;
  if constexpr (T == LENSOR_Q4_K) {
    high[0] = high[1] = zeroi();
  } else if constexpr (T == LENSOR_Q5_K) {
    high[0] = high[1] = loadi(bits + kNibbles);
  } else {
    for (int i = 0; i < kHigh<T>; i++) high[i] = loadi(bits + kNibbles + 64 * i);
  }
}

} // namespace lensor::LENSOR_ISA
