// Unfold against its definition; fold against it as the adjoint, and in the order it promises.
#include "check.h"

using namespace lensor::test;

TEST("unfold lays out what each step sees and fold adds it back") {
  const int64_t batch = 2, channels = 3;
  for (int64_t length : {1, 5, 16, 100})
    for (int64_t kernel : {1, 3, 4})
      for (int64_t stride : {1, 2, 3})
        for (int64_t padding : {0, 2, 9})
          for (int64_t dilation : {1, 2}) {
            const int64_t room = length + 2 * padding - dilation * (kernel - 1) - 1;
            if (room < 0) continue;
            const int64_t steps = room / stride + 1;
            auto x = noise(batch * channels * length, 1),
                 columns = noise(batch * channels * kernel * steps, 2);
            std::vector<float> out(columns.size(), 9), back(x.size(), 9), wanted(columns.size()),
                sums(x.size());
            for (int64_t row = 0; row < batch * channels; row++)
              for (int64_t k = 0; k < kernel; k++)
                for (int64_t s = 0; s < steps; s++) {
                  const int64_t l = s * stride + k * dilation - padding, at = (row * kernel + k) * steps + s;
                  if (l < 0 || l >= length) continue;
                  wanted[at] = x[row * length + l];
                  sums[row * length + l] += columns[at];
                }
            const lensor_view xs = view(x, {batch, channels, length}),
                              outs = view(out, {batch, channels, kernel, steps}),
                              given = view(columns, {batch, channels, kernel, steps}),
                              backs = view(back, {batch, channels, length});
            CHECK_EQ(ops.unfold(context, &xs, stride, padding, dilation, &outs), LENSOR_OK);
            CHECK_SAME(out, wanted);
            CHECK_EQ(ops.fold(context, &given, stride, padding, dilation, &backs), LENSOR_OK);
            CHECK_SAME(back, sums);
          }
}

TEST("unfold and fold stop when interrupted") {
  std::vector<float> x(200 * 500), out(200 * 3 * 498);
  const lensor_view xs = view(x, {2, 100, 500}), outs = view(out, {2, 100, 3, 498});
  Context stopped(2);
  stopped.interrupt_at = 1;
  CHECK_EQ(ops.unfold(&stopped, &xs, 1, 0, 1, &outs), LENSOR_INTERRUPTED);
  stopped.polls = 0;
  CHECK_EQ(ops.fold(&stopped, &outs, 1, 0, 1, &xs), LENSOR_INTERRUPTED);
}
