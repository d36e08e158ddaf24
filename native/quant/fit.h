// Searches for the scale (and the minimum) of a few numbers that lose the least when they are rounded: of
// each try the best scale follows by least squares. These are the searches of llama.cpp's quantize, in its
// order of operations, each rounded to f32 by itself (the build forbids contraction, nothing here is
// reordered): that makes the codes the same, bit for bit, on every machine.
#pragma once
#include <cstdint>

namespace lensor {

// At most so many numbers share a scale.
constexpr int kFitted = 32;

// To the nearest whole number, even where two are as near; |x| <= 2^22.
inline int nearest(float x) {
  // In a sum of this size a float's last digit is 1.
  const float sum = x + 12582912.0f;
  int32_t bits;
  __builtin_memcpy(&bits, &sum, 4);
  return (bits & 0x7fffff) - 0x400000;
}

// Whole numbers from a to b.
inline int within(int x, int a, int b) { return x < a ? a : x > b ? b : x; }

// Below it all numbers count as zeros.
constexpr float kNothing = 1e-15f;

// The first of the largest magnitude.
float extreme(int n, const float* x);

// x = scale (code - most), codes from 0 to 2 most - 1: nineteen scales around extreme / -most, the one of the
// largest (sum w x l)^2 / sum w l^2. All codes 0 and scale 0 where there is nothing.
float fit_signed(int n, int most, const float* x, const float* weights, uint8_t* codes);

// The same by turns: from extreme / -most, up to five rounds in which each code moves where that gains, with
// weights x^2.
float fit_by_turns(int n, int most, const float* x, uint8_t* codes);

// x = scale code - minimum, codes from 0 to most, the minimum not below 0. Tries the codes that the spread
// cut into first + step i + most pieces gives, i up to `steps`.
struct Tries {
  float first, step;
  int steps;
  bool absolute; // the error is sum w |d|, else sum w d^2
};
float fit_above(int n, int most, const float* x, const float* weights, const Tries& tries, uint8_t* codes,
                float* minimum);

// x = scale code of numbers above 0: the best of nine cuts, then by turns.
float fit_positive(int n, int most, const float* x, const float* weights, uint8_t* codes);

} // namespace lensor
