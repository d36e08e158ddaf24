// Steps of optimizers: parameters and their state change in place, once the gradients that they need are
// there. A step is not cut short by an interrupt: a parameter is of one step or of the next.
#pragma once
#include "tensor.h"

namespace lensor {

struct OptimizerOptions {
  int32_t kind; // lensor_optimizer
  int64_t step; // from 1
  float lr, beta1, beta2, epsilon, weight_decay, momentum, dampening;
  bool nesterov;
};

// What the state of `count` values takes, in bytes, one number a buffer.
std::vector<size_t> state_bytes(int32_t kind, int64_t count, bool momentum);

// `scale`: null, or f32 of two values, the gradient's factor in the second (see gradient_norm). Throws
// Invalid.
void optimizer_step(const OptimizerOptions& options, const Tensor& parameter, const Tensor& gradient,
                    const std::vector<BufferRef>& state, const BufferRef& scale);

// The length of all gradients as one vector, and the factor that brings it down to `most`: [norm, min(1, most
// / norm)].
BufferRef gradient_norm(const std::vector<Tensor>& gradients, float most);

} // namespace lensor
