// RMS norm of a decoder's rows, by itself: what stands before the head where many rows go through it.
#include "rows.h"

namespace lensor::LENSOR_ISA {

namespace {

struct Norm {
  const float* x;
  const float* gain;
  float epsilon;
  int64_t width;
  float* out;
};

void norm_rows(void* arg, int64_t begin, int64_t end, int32_t) {
  const Norm* norm = (const Norm*)arg;
  for (int64_t row = begin; row < end; row++)
    norm_row(norm->x + row * norm->width, norm->gain, norm->epsilon, norm->width,
             norm->out + row * norm->width);
}

} // namespace

lensor_status rms_norm(lensor_context* context, const float* x, const float* gain, float epsilon,
                       int64_t rows, int64_t width, float* out) {
  Norm norm = {x, gain, epsilon, width, out};
  context->parallel(context, rows, 16, norm_rows, &norm);
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA
