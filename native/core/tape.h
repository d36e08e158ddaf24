// The tape: which operation made which tensor from which, for as long as a gradient may be asked for.
// Recording and going back happen on JavaScript's thread and only enqueue work; a node keeps the buffers that
// its gradient needs, whatever becomes of the tensors that a person holds.
#pragma once
#include "op.h"
#include <unordered_set>

namespace lensor {

class Checkpoint;
struct Remade;

// A tensor that a gradient needs: its buffer, or what makes it again (the node of a cheap step, or a
// checkpoint), or (with neither) its shape alone.
struct Saved {
  Tensor tensor; // without its own node
  std::shared_ptr<Node> again{};
  std::shared_ptr<Remade> remade{};
  uint32_t version = 0;
};

Tensor shape_only(Tensor tensor);
// As it is, or from a checkpoint: one of the outermost `depth` that are open.
Saved keep(const Tensor& tensor, size_t depth);
// With memory, which it gets in the queue's order.
Tensor restore(const Saved& saved);
// Throws Invalid where it cannot be had any more, naming whose gradient it is for.
void check_saved(const Saved& saved, const std::string& user, std::unordered_set<const Checkpoint*>& seen);

struct Edge {
  std::shared_ptr<Node> node; // null: this input's gradient is not asked for
  int32_t slot = 0;
};

using Gradients = std::vector<Tensor>; // one without a buffer: zero

struct Node {
  ~Node(); // long chains are let go without recursion

  const Op* op = nullptr; // null: a leaf
  std::string name;
  uint64_t order = 0;      // of recording: a node comes after its inputs
  uint64_t checkpoint = 0; // the number of the innermost that was open, 0: none
  std::vector<double> params;
  std::shared_ptr<const void> held;
  const lensor_weight* weight = nullptr;
  std::vector<Edge> inputs;
  std::vector<Saved> in, out;
  bool spent = false;                        // its gradient was taken, and what it kept let go
  std::vector<std::weak_ptr<Buffer>> remade; // results made again, while somebody holds them
  // A leaf's gradient so far.
  Tensor gradient;

  bool is_leaf() const { return !op; }
};

// The start of a tape: gradients for this tensor are gathered.
std::shared_ptr<Node> make_leaf(const Tensor& tensor);
// After a call: a node for its results where one of its inputs has one, else null.
std::shared_ptr<Node> record(const Call& call);
// Adds d root / d leaf to every leaf's gradient, from `seed` = d ... / d root, or without a buffer 1.
// Everything is checked before the first step: throws Invalid naming an operation without a gradient, a
// tensor that was changed since it was recorded, or a tape that was gone through before. `keep`: it can be
// gone through again.
void backward(const Tensor& root, const Tensor& seed, bool keep);

// What an operation's gradient sees of its call.
class Backward {
public:
  Backward(Node& node, const Gradients& grads);

  const lensor_view& in_view(size_t i) const { return node_.in[i].tensor.view; }
  const lensor_view& out_view(size_t i = 0) const { return node_.out[i].tensor.view; }
  size_t inputs() const { return node_.in.size(); }
  // Only what the operation `keeps`.
  Tensor in(size_t i) const;
  Tensor out(size_t i = 0) const;
  double param(size_t i) const { return i < node_.params.size() ? node_.params[i] : 0; }
  const Node& node() const { return node_; }
  bool needs(size_t i) const { return node_.inputs[i].node != nullptr; }
  // d / d result: zeros where nothing came.
  Tensor grad(size_t i = 0) const;
  bool has_grad(size_t i) const { return grads_[i].buffer != nullptr; }
  // Whether d / d result is 1, known without a look at memory: the start of most tapes.
  bool is_one() const { return one_; }
  // A kept result as memory of the gradient's own, to change or to give.
  Tensor take(size_t i);
  // d / d input, of the input's shape and dtype.
  void give(size_t i, Tensor gradient) { given[i] = std::move(gradient); }
  // What came for the input from elsewhere, where this step may add its share to it in place in place of
  // `give`; else without a buffer.
  const Tensor& so_far(size_t i) const { return so_far_[i]; }

  Gradients given;

private:
  friend void backward(const Tensor&, const Tensor&, bool);
  Node& node_;
  const Gradients& grads_;
  Gradients so_far_;
  bool one_ = false, keep_ = false;
};

} // namespace lensor
