// Norms and their gradients against the same formulas in double, for widths around the vector length and rows
// around the blocks of the sums; the same bits for any threads and whatever other rows there are.
#include "cast.h"
#include "tolerance.h"

using namespace lensor::test;

namespace {

constexpr float kEpsilon = 1e-5f;

struct Result {
  std::vector<float> y, dx, dgain, dbias;
};

Result run(const lensor_ops& ops, Context* context, bool layer, std::vector<float> x, std::vector<float> dy,
           const float* gain, const float* bias, int64_t width) {
  const int64_t rows = (int64_t)x.size() / width;
  Result r{std::vector<float>(x.size()), std::vector<float>(x.size()), std::vector<float>(width),
           std::vector<float>(width)};
  const lensor_view xs = view(x, {rows, width}), ys = view(r.y, {rows, width}), dys = view(dy, {rows, width}),
                    dxs = view(r.dx, {rows, width});
  CHECK_EQ(ops.norm(context, layer, &xs, gain, bias, kEpsilon, &ys), LENSOR_OK);
  CHECK_EQ(ops.norm_grad(context, layer, &xs, gain, kEpsilon, &dys, &dxs, r.dgain.data(), r.dbias.data()),
           LENSOR_OK);
  return r;
}

} // namespace

TEST("norms of rows and their gradients") {
  const Tolerance within = tolerance(ops, "norm"), gradients = tolerance(ops, "norm's gradient"),
                  sums = tolerance(ops, "norm's sums");
  for (const bool layer : {false, true})
    for (const bool plain : {false, true})
      for (int64_t width : {1, 15, 16, 17, 576, 1100})
        for (int64_t rows : {0, 1, 63, 64, 65, 150}) {
          auto x = noise(rows * width, 1);
          for (float& f : x) f = f * 3 + 1;
          const auto dy = noise(rows * width, 2), gain = noise(width, 3), bias = noise(width, 4);
          const Result r = run(ops, context, layer, x, dy, plain ? nullptr : gain.data(),
                               plain ? nullptr : bias.data(), width);
          std::vector<double> dgain(width), dbias(width);
          for (int64_t row = 0; row < rows; row++) {
            const float *in = x.data() + row * width, *d = dy.data() + row * width;
            double mean = 0, square = 0, along = 0, total = 0;
            for (int64_t i = 0; layer && i < width; i++) mean += (double)in[i] / width;
            for (int64_t i = 0; i < width; i++) square += (in[i] - mean) * (in[i] - mean) / width;
            const double scale = 1 / std::sqrt(square + kEpsilon);
            for (int64_t i = 0; i < width; i++) {
              const double g = plain ? 1 : gain[i], unit = (in[i] - mean) * scale;
              along += d[i] * g * unit / width;
              total += layer ? d[i] * g / width : 0;
              dgain[i] += d[i] * unit;
              dbias[i] += d[i];
              // One column: the scale is up to 1 / sqrt(epsilon) and x - mean is rounding.
              CHECK_NEAR(r.y[row * width + i], unit * g + (plain || !layer ? 0 : bias[i]), within);
            }
            for (int64_t i = 0; i < width; i++) {
              const double g = plain ? 1 : gain[i], unit = (in[i] - mean) * scale;
              CHECK_NEAR(r.dx[row * width + i], scale * (d[i] * g - unit * along - total),
                         gradients * (1 + scale));
            }
          }
          for (int64_t i = 0; i < width; i++) {
            CHECK_NEAR(r.dgain[i], dgain[i], sums);
            CHECK_NEAR(r.dbias[i], dbias[i], sums);
          }
        }
}

TEST("a row's norm is the decoder's, bit for bit") {
  for (int64_t width : {17, 576, 1536}) {
    auto x = noise(20 * width, 1), gain = noise(width, 2);
    std::vector<float> y(x.size()), wanted(x.size());
    const lensor_view xs = view(x, {20, width}), ys = view(y, {20, width});
    CHECK_EQ(ops.norm(context, 0, &xs, gain.data(), nullptr, kEpsilon, &ys), LENSOR_OK);
    CHECK_EQ(ops.rms_norm(context, x.data(), gain.data(), kEpsilon, 20, width, wanted.data()), LENSOR_OK);
    CHECK_SAME(y, wanted);
  }
}

TEST("sums over rows of norms have the same bits on any number of threads") {
  // More blocks of rows than are kept at a time.
  const int64_t rows = 64 * 64 + 100, width = 33;
  const auto x = noise(rows * width, 1), dy = noise(rows * width, 2), gain = noise(width, 3);
  Context serial(1), threaded(4);
  for (const bool layer : {false, true}) {
    const Result a = run(ops, &serial, layer, x, dy, gain.data(), nullptr, width);
    const Result b = run(ops, &threaded, layer, x, dy, gain.data(), nullptr, width);
    CHECK_SAME(a.dx, b.dx);
    CHECK_SAME(a.dgain, b.dgain);
    CHECK_SAME(a.dbias, b.dbias);
    const std::vector<float> one(x.begin() + 70 * width, x.begin() + 71 * width),
        given(dy.begin() + 70 * width, dy.begin() + 71 * width);
    const Result alone = run(ops, context, layer, one, given, gain.data(), nullptr, width);
    CHECK_SAME(alone.y, std::vector<float>(a.y.begin() + 70 * width, a.y.begin() + 71 * width));
    CHECK_SAME(alone.dx, std::vector<float>(a.dx.begin() + 70 * width, a.dx.begin() + 71 * width));
  }
}

TEST("either sum of a norm's gradient may be left out, and dx may replace dy") {
  const int64_t rows = 70, width = 40;
  auto x = noise(rows * width, 1), dy = noise(rows * width, 2);
  const auto gain = noise(width, 3);
  const Result both = run(ops, context, true, x, dy, gain.data(), nullptr, width);
  std::vector<float> dgain(width), dbias(width), dx(x.size());
  const lensor_view xs = view(x, {rows, width}), dys = view(dy, {rows, width}), dxs = view(dx, {rows, width});
  CHECK_EQ(ops.norm_grad(context, 1, &xs, gain.data(), kEpsilon, &dys, &dxs, dgain.data(), nullptr),
           LENSOR_OK);
  CHECK_SAME(dgain, both.dgain);
  CHECK_EQ(ops.norm_grad(context, 1, &xs, gain.data(), kEpsilon, &dys, &dxs, nullptr, dbias.data()),
           LENSOR_OK);
  CHECK_SAME(dbias, both.dbias);
  CHECK_EQ(ops.norm_grad(context, 1, &xs, gain.data(), kEpsilon, &dys, &dys, nullptr, nullptr), LENSOR_OK);
  CHECK_SAME(dy, both.dx);
}

TEST("norms of bf16 are those of its values, rounded once") {
  const int64_t rows = 9, width = 1001;
  auto x = rounded<bf16>(ops, context, noise(rows * width, 1)),
       dy = rounded<bf16>(ops, context, noise(rows * width, 2));
  auto nx = cast<bf16>(ops, context, x), ndy = cast<bf16>(ops, context, dy);
  const auto gain = noise(width, 3), bias = noise(width, 4);
  const Result wide = run(ops, context, true, x, dy, gain.data(), bias.data(), width);
  std::vector<bf16> y(x.size()), dx(x.size());
  std::vector<float> dgain(width), dbias(width);
  const lensor_view xs = view(nx, {rows, width}), ys = view(y, {rows, width}), dys = view(ndy, {rows, width}),
                    dxs = view(dx, {rows, width});
  CHECK_EQ(ops.norm(context, 1, &xs, gain.data(), bias.data(), kEpsilon, &ys), LENSOR_OK);
  CHECK_EQ(ops.norm_grad(context, 1, &xs, gain.data(), kEpsilon, &dys, &dxs, dgain.data(), dbias.data()),
           LENSOR_OK);
  CHECK_SAME(y, cast<bf16>(ops, context, wide.y));
  CHECK_SAME(dx, cast<bf16>(ops, context, wide.dx));
  CHECK_SAME(dgain, wide.dgain);
  CHECK_SAME(dbias, wide.dbias);
}

TEST("norms stop when interrupted") {
  auto x = noise(2000 * 100, 1);
  std::vector<float> y(x.size()), dgain(100);
  const lensor_view xs = view(x, {2000, 100}), ys = view(y, {2000, 100});
  Context stopped(2);
  stopped.interrupt_at = 1;
  CHECK_EQ(ops.norm(&stopped, 0, &xs, nullptr, nullptr, kEpsilon, &ys), LENSOR_INTERRUPTED);
  stopped.polls = 0;
  CHECK_EQ(ops.norm_grad(&stopped, 0, &xs, nullptr, kEpsilon, &xs, &ys, dgain.data(), nullptr),
           LENSOR_INTERRUPTED);
}
