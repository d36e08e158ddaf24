// What an operation is: how its arguments are checked, how it runs, what its gradient needs, and the gradient
// itself, all beside each other in one file of core/ops. `invoke` puts one into the queue; it records nothing
// (see tape.h).
#pragma once
#include "executor.h"
#include "tensor.h"

namespace lensor {

class Backward;
struct Op;

// One use of an operation. `out` holds where the results will be.
struct Call {
  const Op* op;
  std::vector<Tensor> in, out;
  std::vector<double> params;
  std::shared_ptr<const void> held;      // kept alive for it: a model, whose weight it uses
  const lensor_weight* weight = nullptr; // of what is held
};

// What `run` sees: views that point at memory.
struct Running {
  lensor_context* context;
  const lensor_ops* ops;
  std::vector<lensor_view> in, out;
  const std::vector<double>& params;
  const lensor_weight* weight;

  double param(size_t i) const { return i < params.size() ? params[i] : 0; }
};

struct Op {
  const char* name;
  // Throws Invalid where inputs, results and parameters do not fit each other: what could reach outside
  // memory. Meanings were checked in TypeScript.
  void (*check)(const Call&);
  // Null for a view, which computes nothing.
  lensor_status (*run)(const Running&);
  // Null: its gradient does not exist, and asking for it is an error.
  void (*gradient)(Backward&) = nullptr;
  // Which tensors the gradient looks at: kInput << i, kResult << i. Of the others it knows the shape.
  uint32_t (*keeps)(const Call&) = nullptr;
  // Its results are kept by making them again from its inputs where a gradient needs them: for operations
  // that are cheap beside the memory that they would take.
  bool cheap = false;
  // The name where it depends on the parameters: "relu" of "unary".
  const char* (*called)(const Call&) = nullptr;
};
constexpr uint32_t kInput = 1, kResult = 1u << 16;

const char* name_of(const Call& call);

// Every operation there is, in an order that does not change while the process runs.
const std::vector<const Op*>& operations();

// Throws Invalid unless it holds.
void need(bool holds);
// Enqueues the call, whose results get their values in time. Checked before. Throws where the wait for room
// in the queue was interrupted.
void enqueue_call(const Call& call);
// Makes the results, checks, and enqueues: for gradients, which are made of operations too.
std::vector<Tensor> invoke(const Op& op, std::vector<Tensor> in, std::vector<double> params,
                           const std::vector<Tensor>& out);
Tensor invoke(const Op& op, std::vector<Tensor> in, std::vector<double> params, int32_t dtype,
              const Shape& shape);

} // namespace lensor
