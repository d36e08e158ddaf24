#include "op.h"
#include "engine.h"
#include "ops/all.h"

namespace lensor {

const char* name_of(const Call& call) { return call.op->called ? call.op->called(call) : call.op->name; }

const std::vector<const Op*>& operations() {
  static const std::vector<const Op*> all{
      &ops::kCopy,
      &ops::kUnary,
      &ops::kUnaryGrad,
      &ops::kBinary,
      &ops::kWhere,
      &ops::kCat,
      &ops::kPermute,
      &ops::kReshape,
      &ops::kExpand,
      &ops::kSlice,
      &ops::kReduce,
      &ops::kSoftmax,
      &ops::kSoftmaxGrad,
      &ops::kCumsum,
      &ops::kMatmul,
      &ops::kLinear,
      &ops::kEmbedding,
      &ops::kAdapted,
      &ops::kAdaptedGrad,
      &ops::kDropout,
      &ops::kGather,
      &ops::kScatterAdd,
      &ops::kTopK,
      &ops::kSort,
      &ops::kRoute,
      &ops::kDispatch,
      &ops::kCombine,
      &ops::kCombineGrad,
      &ops::kGrouped,
      &ops::kGroupedOuter,
      &ops::kGroupedFrozen,
      &ops::kNorm,
      &ops::kNormGrad,
      &ops::kGlu,
      &ops::kGluGrad,
      &ops::kRotate,
      &ops::kAttention,
      &ops::kAttentionGrad,
      &ops::kReceived,
      &ops::kScan,
      &ops::kUnfold,
      &ops::kFold,
      &ops::kCholesky,
      &ops::kSolveTriangular,
      &ops::kEigen,
      &ops::kMarkSmallest,
      &ops::kSparseSweep,
      &ops::kRoundGroups,
      &ops::kGptqSweep,
      &ops::kGroupRows,
      &ops::kMatchLook,
      &ops::kMatchFit,
      &ops::kRowLoss,
      &ops::kRowLossGrad,
      &ops::kLinearLoss,
      &ops::kLinearLogprobs,
      &ops::kLinearLogprobsGrad,
  };
  return all;
}

void need(bool holds) {
  if (!holds) throw Invalid("the tensors of this operation do not fit each other");
}

namespace {

// "[64, 576] × [576, 1536] → [64, 1536]"
std::string shapes_of(const Call& call) {
  const auto text = [](const Tensor& tensor) {
    std::string sizes;
    for (int32_t d = 0; d < tensor.view.rank; d++)
      sizes += (d ? ", " : "") + std::to_string(tensor.view.shape[d]);
    return "[" + sizes + "]";
  };
  std::string all;
  for (const Tensor& tensor : call.in) all += (all.empty() ? "" : " × ") + text(tensor);
  all += " →";
  for (const Tensor& tensor : call.out) all += " " + text(tensor);
  return all;
}

} // namespace

void enqueue_call(const Call& call) {
  std::vector<BufferRef> inputs, outputs;
  for (const Tensor& tensor : call.in) inputs.push_back(tensor.buffer);
  for (const Tensor& tensor : call.out) outputs.push_back(tensor.buffer);
  std::vector<lensor_view> in, out;
  for (const Tensor& tensor : call.in) in.push_back(tensor.view);
  for (const Tensor& tensor : call.out) out.push_back(tensor.view);
  const auto run = [op = call.op, inputs, outputs, in, out, params = call.params, held = call.held,
                    weight = call.weight](lensor_context* context) {
    Running running{context, engine().ops(), in, out, params, weight};
    for (size_t i = 0; i < in.size(); i++) running.in[i] = pointed(in[i], *inputs[i]);
    for (size_t i = 0; i < out.size(); i++) running.out[i] = pointed(out[i], *outputs[i]);
    return op->run(running);
  };
  Task task{name_of(call), inputs, outputs, run, nullptr};
  if (profile_wanted()) task.shapes = shapes_of(call);
  enqueue(std::move(task));
}

std::vector<Tensor> invoke(const Op& op, std::vector<Tensor> in, std::vector<double> params,
                           const std::vector<Tensor>& out) {
  const Call call{&op, std::move(in), out, std::move(params), nullptr, nullptr};
  op.check(call);
  enqueue_call(call);
  return call.out;
}

Tensor invoke(const Op& op, std::vector<Tensor> in, std::vector<double> params, int32_t dtype,
              const Shape& shape) {
  return invoke(op, std::move(in), std::move(params), {make_tensor(dtype, shape)})[0];
}

} // namespace lensor
