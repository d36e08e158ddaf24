// Grouped integers (quant/grouped.h): their codes as bytes, and their fast products.
//   2 to 6 bits: for each 16 columns the integer sums s of code and q_x; once a group
//     acc += m sum(total) + d sum(d_x s),   m the minimum, or -2^(b - 1) d where there is none
//   8 bits: the same with signed codes and activations of 16 bits
// Half 1 of a block may come multiplied by a power of 2, which spares its shifts: d_x is divided by it.
#pragma once
#include "../quant/grouped.h"
#include "product.h"

namespace lensor::LENSOR_ISA {

constexpr int32_t in_bytes(uint32_t mask) { return (int32_t)(mask * 0x01010101u); }

// By how many bits the codes of half H stand higher where products take them. Only VNNI has the room: its
// bytes are unsigned up to 255.
#if defined(LENSOR_ISA_AVX512)
template <int B, int H> constexpr int kRaised = H && B < 5 ? (B == 3 ? 3 : 4) : 0;
#else
template <int B, int H> constexpr int kRaised = 0;
#endif

template <int B, int H, int J, int At, int Piece> LENSOR_INLINE i32v piece_at(const uint8_t* block) {
  constexpr CodePiece kPiece = code_place(B, H, J).pieces[Piece];
  constexpr int kTo = At + kPiece.from;
  return bits_at<kPiece.shift, kTo>(loadi(block + 64 * kPiece.word), in_bytes(kPiece.mask << kTo));
}

// Columns 16 H + 4 J to 16 H + 4 J + 3 of a block of 32, as bytes, times 2^At.
template <int B, int H, int J, int At> LENSOR_INLINE i32v codes_at(const uint8_t* block) {
  const i32v w = piece_at<B, H, J, At, 0>(block);
  if constexpr (code_place(B, H, J).count == 2) return ori(w, piece_at<B, H, J, At, 1>(block));
  return w;
}

template <int B, int H, int J, int R, int P>
LENSOR_INLINE void gather_codes(i32v (&s)[P][R], const uint8_t* const* block, const int8_t* q, int64_t cols) {
  i32v w[P];
  LENSOR_PANELS(p) w[p] = codes_at<B, H, J, kRaised<B, H>>(block[p]);
  LENSOR_ROWS(r) {
    const i32v x = four(q + r * cols + 16 * H + 4 * J);
    LENSOR_PANELS(p) s[p][r] = B > 5 ? dot4_wide(s[p][r], w[p], x) : dot4(s[p][r], w[p], x);
  }
}

// sum += d_x s over half a block.
template <int B, int H, int R, int P>
LENSOR_INLINE void half_group(f32v (&sum)[P][R], const uint8_t* const* block, const int8_t* q,
                              const float* scale, int64_t cols) {
  i32v s[P][R];
  LENSOR_PANELS(p) LENSOR_ROWS(r) s[p][r] = zeroi();
  gather_codes<B, H, 0>(s, block, q, cols), gather_codes<B, H, 1>(s, block, q, cols);
  gather_codes<B, H, 2>(s, block, q, cols), gather_codes<B, H, 3>(s, block, q, cols);
  LENSOR_ROWS(r) {
    const f32v d = set1(scale[r * (cols / 16) + H] * (1.0f / (1 << kRaised<B, H>)));
    LENSOR_PANELS(p) sum[p][r] = fma(to_f32(B > 5 ? s[p][r] : sum4(s[p][r])), d, sum[p][r]);
  }
}

// `per`: blocks of 32 columns in a group.
template <int B, bool M, int R, int P>
LENSOR_INLINE void tile_grouped(const uint8_t* const* panels, const lensor_activations* x, int64_t row,
                                int per, f32v (&acc)[P][R]) {
  const int64_t cols = x->cols, blocks = cols / LENSOR_BLOCK;
  const int8_t* q = x->q8 + row * cols;
  const float* scale = x->scale8 + row * blocks * 2;
  const float* total = x->total8 + row * blocks;
  const uint8_t *head[P], *block[P];
  LENSOR_PANELS(p) block[p] = panels[p];
  LENSOR_PANELS(p) LENSOR_ROWS(r) acc[p][r] = zero();
  for (int64_t b = 0; b < blocks;) {
    f32v sum[P][R];
    float whole[R];
    LENSOR_PANELS(p) {
      head[p] = block[p], block[p] += M ? 64 : 32;
      LENSOR_ROWS(r) sum[p][r] = zero();
    }
    LENSOR_ROWS(r) whole[r] = 0;
    for (int64_t end = b + per; b < end; b++, q += LENSOR_BLOCK, scale += 2, total++) {
      half_group<B, 0>(sum, block, q, scale, cols);
      half_group<B, 1>(sum, block, q, scale, cols);
      LENSOR_ROWS(r) whole[r] += total[r * blocks];
      LENSOR_PANELS(p) block[p] += 64 * B;
    }
    LENSOR_PANELS(p) {
      const f32v d = load_f16((const uint16_t*)head[p]);
      const f32v m = M ? load_f16((const uint16_t*)(head[p] + 32)) : mul(d, set1(-(1 << (B - 1))));
      LENSOR_ROWS(r) acc[p][r] = fma(d, sum[p][r], fma(m, set1(whole[r]), acc[p][r]));
    }
  }
}

// 8 bits. With signed codes c - 128 the minimum of codes c becomes m + 128 d.
template <bool M, int R, int P> LENSOR_INLINE void tile_grouped8(const uint8_t* const* panels,
                                                                 const lensor_activations* x, int64_t row,
                                                                 int per, f32v (&acc)[P][R]) {
  const int64_t cols = x->cols, blocks = cols / LENSOR_BLOCK;
  const int16_t* q = x->q16 + row * cols;
  const float* scale = x->scale16 + row * blocks;
  const uint8_t *head[P], *block[P];
  LENSOR_PANELS(p) block[p] = panels[p];
  LENSOR_PANELS(p) LENSOR_ROWS(r) acc[p][r] = zero();
  for (int64_t b = 0; b < blocks;) {
    f32v sum[P][R], whole[R];
    LENSOR_PANELS(p) {
      head[p] = block[p], block[p] += M ? 64 : 32;
      LENSOR_ROWS(r) sum[p][r] = zero();
    }
    LENSOR_ROWS(r) whole[r] = zero();
    for (int64_t end = b + per; b < end; b++, q += LENSOR_BLOCK, scale++) {
      i32v s[P][R], one[R];
      LENSOR_PANELS(p) LENSOR_ROWS(r) s[p][r] = zeroi();
      LENSOR_ROWS(r) one[r] = zeroi();
      _Pragma("GCC unroll 8") for (int j = 0; j < 8; j++) {
        i32v even[P], odd[P];
        LENSOR_PANELS(p) {
          const i32v w = loadi(block[p] + 64 * j);
          even[p] = even16(w), odd[p] = odd16(w);
        }
        LENSOR_ROWS(r) {
          const i32v low = four(q + r * cols + 4 * j), high = four(q + r * cols + 4 * j + 2);
          LENSOR_PANELS(p) s[p][r] = dot16(dot16(s[p][r], even[p], low), odd[p], high);
          if (M) one[r] = dot16(dot16(one[r], set1i(0x10001), low), set1i(0x10001), high);
        }
      }
      LENSOR_ROWS(r) {
        const f32v d = set1(scale[r * blocks]);
        LENSOR_PANELS(p) sum[p][r] = fma(to_f32(s[p][r]), d, sum[p][r]);
        if (M) whole[r] = fma(to_f32(one[r]), d, whole[r]);
      }
      LENSOR_PANELS(p) block[p] += 64 * 8;
    }
    LENSOR_PANELS(p) {
      const f32v d = load_f16((const uint16_t*)head[p]);
      const f32v m = M ? fma(d, set1(128), load_f16((const uint16_t*)(head[p] + 32))) : zero();
      LENSOR_ROWS(r) {
        acc[p][r] = fma(d, sum[p][r], acc[p][r]);
        if (M) acc[p][r] = fma(m, whole[r], acc[p][r]);
      }
    }
  }
}

} // namespace lensor::LENSOR_ISA
