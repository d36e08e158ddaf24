#include "optimize.h"
#include "engine.h"
#include "op.h"
#include <cmath>

namespace lensor {

namespace {

constexpr int64_t kCodeBlock = 256; // values that share a scale in 8-bit state

int64_t code_blocks(int64_t count) { return (count + kCodeBlock - 1) / kCodeBlock; }

} // namespace

std::vector<size_t> state_bytes(int32_t kind, int64_t count, bool momentum) {
  const auto floats = static_cast<size_t>(count) * sizeof(float), codes = static_cast<size_t>(count),
             scales = static_cast<size_t>(code_blocks(count)) * sizeof(float);
  switch (kind) {
  case LENSOR_SGD:
    return momentum ? std::vector<size_t>{floats} : std::vector<size_t>{};
  case LENSOR_ADAMW:
    return {floats, floats};
  case LENSOR_ADAMW8:
    return {codes, codes, scales, scales};
  default:
    return {floats};
  }
}

void optimizer_step(const OptimizerOptions& options, const Tensor& parameter, const Tensor& gradient,
                    const std::vector<BufferRef>& state, const BufferRef& scale) {
  const int64_t count = count_of(parameter.view);
  need(parameter.dtype() == LENSOR_F32 && is_contiguous(parameter.view));
  need(same_shape(parameter.view, gradient.view) && is_contiguous(gradient.view) &&
       (gradient.dtype() == LENSOR_F32 || gradient.dtype() == LENSOR_BF16));
  const auto wanted = state_bytes(options.kind, count, options.momentum != 0);
  need(state.size() == wanted.size());
  for (size_t i = 0; i < state.size(); i++) need(state[i]->bytes == wanted[i]);
  need(!scale || scale->bytes == 2 * sizeof(float));
  const auto run = [=](lensor_context* context) {
    lensor_optimizer_step step{};
    step.kind = options.kind, step.count = count, step.step = options.step;
    step.parameter = static_cast<float*>(pointed(parameter.view, *parameter.buffer).data);
    step.gradient = pointed(gradient.view, *gradient.buffer).data;
    step.gradient_dtype = gradient.dtype();
    step.gradient_scale = scale ? scale->memory.as<float>()[1] : 1;
    if (options.kind == LENSOR_ADAMW8) {
      step.code1 = state[0]->memory.as<uint8_t>(), step.code2 = state[1]->memory.as<uint8_t>();
      step.scale1 = state[2]->memory.as<float>(), step.scale2 = state[3]->memory.as<float>();
    } else {
      step.state1 = state.size() > 0 ? state[0]->memory.as<float>() : nullptr;
      step.state2 = state.size() > 1 ? state[1]->memory.as<float>() : nullptr;
    }
    step.lr = options.lr, step.beta1 = options.beta1, step.beta2 = options.beta2;
    step.epsilon = options.epsilon, step.weight_decay = options.weight_decay;
    step.momentum = options.momentum, step.dampening = options.dampening, step.nesterov = options.nesterov;
    return engine().ops()->optimizer_step(context, &step);
  };
  Task task{"optimizer step", {gradient.buffer, parameter.buffer}, {}, run, nullptr};
  task.changes = {parameter.buffer};
  if (scale) task.inputs.push_back(scale);
  task.inputs.insert(task.inputs.end(), state.begin(), state.end());
  task.changes.insert(task.changes.end(), state.begin(), state.end());
  parameter.buffer->version++;
  enqueue(std::move(task));
}

BufferRef gradient_norm(const std::vector<Tensor>& gradients, float most) {
  auto result = std::make_shared<Buffer>(2 * sizeof(float));
  std::vector<BufferRef> inputs;
  for (const Tensor& gradient : gradients) {
    need(is_contiguous(gradient.view) && (gradient.dtype() == LENSOR_F32 || gradient.dtype() == LENSOR_BF16));
    inputs.push_back(gradient.buffer);
  }
  const auto run = [=](lensor_context* context) {
    double sum = 0;
    for (const Tensor& gradient : gradients) {
      const lensor_view view = pointed(gradient.view, *gradient.buffer);
      float squares = 0;
      if (const auto status = engine().ops()->sum_squares(context, &view, &squares)) return status;
      sum += squares;
    }
    const auto norm = static_cast<float>(std::sqrt(sum));
    result->memory.as<float>()[0] = norm;
    result->memory.as<float>()[1] = most > 0 ? std::fmin(1.0f, most / (norm + 1e-6f)) : 1;
    return LENSOR_OK;
  };
  enqueue({"gradient norm", inputs, {result}, run, nullptr});
  return result;
}

} // namespace lensor
