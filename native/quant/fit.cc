// The searches of fit.h. Sums stay in one f32 each, in the order of the numbers: their roundings are part of
// the result.
#include "fit.h"
#include <cmath>
#include <cstring>

namespace lensor {

namespace {

// sum w x l and sum w l^2: x = scale l is best with the quotient.
struct Sums {
  float product = 0, square = 0;

  void add(float w, float x, int l) {
    const auto code = static_cast<float>(l);
    product += w * x * code;
    square += w * code * code;
  }
  float scale() const { return product / square; }
  // Without its share of a number.
  Sums without(float w, float x, int l) const {
    const auto code = static_cast<float>(l);
    return {product - w * x * code, square - w * code * code};
  }
  bool better_than(const Sums& other) const {
    return product * product * other.square > other.product * other.product * square;
  }
};

constexpr int kRounds = 5;

} // namespace

float extreme(int n, const float* x) {
  float most = 0, found = 0;
  for (int i = 0; i < n; i++)
    if (std::fabs(x[i]) > most) most = std::fabs(x[i]), found = x[i];
  return found;
}

float fit_signed(int n, int most, const float* x, const float* weights, uint8_t* codes) {
  const float peak = extreme(n, x);
  if (std::fabs(peak) < kNothing) {
    std::memset(codes, 0, static_cast<size_t>(n));
    return 0;
  }
  const auto code = [&](float inverse, int i) { return within(nearest(inverse * x[i]), -most, most - 1); };
  const auto sums = [&](float inverse) {
    Sums all;
    for (int i = 0; i < n; i++) all.add(weights[i], x[i], code(inverse, i));
    return all;
  };
  const auto take = [&](float inverse) {
    for (int i = 0; i < n; i++) codes[i] = static_cast<uint8_t>(code(inverse, i) + most);
  };
  float inverse = static_cast<float>(-most) / peak;
  Sums all = sums(inverse);
  take(inverse);
  float scale = all.square != 0 ? all.scale() : 0, best = scale * all.product;
  for (int i = -9; i <= 9; i++) {
    if (i == 0) continue;
    inverse = -(static_cast<float>(most) + 0.1f * static_cast<float>(i)) / peak;
    all = sums(inverse);
    if (!(all.square > 0 && all.product * all.product > best * all.square)) continue;
    take(inverse);
    scale = all.scale(), best = scale * all.product;
  }
  return scale;
}

float fit_by_turns(int n, int most, const float* x, uint8_t* codes) {
  const float peak = extreme(n, x);
  if (std::fabs(peak) < kNothing) {
    std::memset(codes, 0, static_cast<size_t>(n));
    return 0;
  }
  const float inverse = static_cast<float>(-most) / peak;
  int at[kFitted];
  Sums all;
  for (int i = 0; i < n; i++) {
    at[i] = within(nearest(inverse * x[i]), -most, most - 1);
    all.add(x[i] * x[i], x[i], at[i]);
  }
  bool moved = true;
  for (int round = 0; round < kRounds && moved; round++) {
    moved = false;
    for (int i = 0; i < n; i++) {
      const float w = x[i] * x[i];
      Sums others = all.without(w, x[i], at[i]);
      if (!(others.product > 0)) continue;
      const int to = within(nearest(x[i] * others.square / others.product), -most, most - 1);
      if (to == at[i]) continue;
      others.add(w, x[i], to);
      if (others.square > 0 && others.better_than(all)) at[i] = to, all = others, moved = true;
    }
  }
  for (int i = 0; i < n; i++) codes[i] = static_cast<uint8_t>(at[i] + most);
  return all.square > 0 ? all.scale() : 0;
}

float fit_above(int n, int most, const float* x, const float* weights, const Tries& tries, uint8_t* codes,
                float* minimum) {
  float low = x[0], high = x[0], sum_w = weights[0], sum_x = sum_w * x[0];
  for (int i = 1; i < n; i++) {
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
    sum_w += weights[i];
    sum_x += weights[i] * x[i];
  }
  if (low > 0) low = 0;
  if (high <= low) {
    std::memset(codes, 0, static_cast<size_t>(n));
    *minimum = -low;
    return 0;
  }
  // Counted from the lowest so far: a better minimum is where the next tries begin.
  const auto code = [&](float inverse, int i) { return within(nearest(inverse * (x[i] - low)), 0, most); };
  const auto error = [&](float scale, float offset, const uint8_t* of) {
    float all = 0;
    for (int i = 0; i < n; i++) {
      const float off = scale * static_cast<float>(of[i]) + offset - x[i];
      all += weights[i] * (tries.absolute ? std::fabs(off) : off * off);
    }
    return all;
  };
  float inverse = static_cast<float>(most) / (high - low), scale = 1 / inverse;
  for (int i = 0; i < n; i++) codes[i] = static_cast<uint8_t>(code(inverse, i));
  float best = error(scale, low, codes);
  for (int step = 0; step <= tries.steps; step++) {
    inverse = (tries.first + tries.step * static_cast<float>(step) + static_cast<float>(most)) / (high - low);
    uint8_t tried[kFitted];
    float sum_l = 0, sum_l2 = 0, sum_xl = 0;
    for (int i = 0; i < n; i++) {
      tried[i] = static_cast<uint8_t>(code(inverse, i));
      const auto l = static_cast<float>(tried[i]);
      sum_l += weights[i] * l;
      sum_l2 += weights[i] * l * l;
      sum_xl += weights[i] * l * x[i];
    }
    const float determinant = sum_w * sum_l2 - sum_l * sum_l;
    if (!(determinant > 0)) continue;
    float slope = (sum_w * sum_xl - sum_x * sum_l) / determinant;
    float offset = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
    if (offset > 0) offset = 0, slope = sum_xl / sum_l2;
    const float now = error(slope, offset, tried);
    if (!(now < best)) continue;
    std::memcpy(codes, tried, static_cast<size_t>(n));
    best = now, scale = slope, low = offset;
  }
  *minimum = -low;
  return scale;
}

float fit_positive(int n, int most, const float* x, const float* weights, uint8_t* codes) {
  float high = 0;
  for (int i = 0; i < n; i++) high = x[i] > high ? x[i] : high;
  if (high < kNothing) {
    std::memset(codes, 0, static_cast<size_t>(n));
    return 0;
  }
  const auto at_most = [most](int l) { return l < most ? l : most; };
  const auto byte = [](int l) { return static_cast<uint8_t>(l); };
  const auto error = [&](float inverse, const auto& code) {
    const float scale = 1 / inverse;
    float all = 0;
    for (int i = 0; i < n; i++) {
      const float off = x[i] - scale * static_cast<float>(code(nearest(inverse * x[i])));
      all += weights[i] * off * off;
    }
    return all;
  };
  float inverse = static_cast<float>(most) / high, best = error(inverse, byte);
  for (int i = -4; i <= 4; i++) {
    if (i == 0) continue;
    const float tried = (0.1f * static_cast<float>(i) + static_cast<float>(most)) / high,
                now = error(tried, at_most);
    if (now < best) best = now, inverse = tried;
  }
  Sums all;
  for (int i = 0; i < n; i++) {
    const int l = at_most(nearest(inverse * x[i]));
    codes[i] = static_cast<uint8_t>(l);
    all.add(weights[i], x[i], l);
  }
  bool moved = true;
  for (int round = 0; round < kRounds && moved; round++) {
    moved = false;
    for (int i = 0; i < n; i++) {
      Sums others = all.without(weights[i], x[i], codes[i]);
      if (!(others.product > 0 && others.square > 0)) continue;
      const int to = at_most(nearest(x[i] * others.square / others.product));
      if (to == codes[i]) continue;
      others.add(weights[i], x[i], to);
      if (others.better_than(all)) codes[i] = static_cast<uint8_t>(to), all = others, moved = true;
    }
  }
  return all.square > 0 ? all.scale() : 0;
}

} // namespace lensor
