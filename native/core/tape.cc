#include "tape.h"
#include "algebra.h"
#include "checkpoint.h"
#include <algorithm>
#include <queue>
#include <unordered_map>

namespace lensor {

namespace {

uint64_t next_order() {
  static uint64_t order = 0; // JavaScript's thread alone
  return ++order;
}

Tensor without_node(Tensor tensor) {
  tensor.node = nullptr;
  return tensor;
}

// A tensor as a gradient will find it: itself, the cheap step that made it (in the same checkpoint: what is
// kept at its border is kept for all that come after), or only its shape.
Saved save(const Tensor& tensor, bool kept) {
  if (!kept) return {shape_only(tensor)};
  const auto& node = tensor.node;
  if (node && node->op && node->op->cheap && !node->spent && node->checkpoint == Checkpoint::innermost() &&
      same_shape(tensor.view, node->out[tensor.slot].tensor.view) && is_contiguous(tensor.view))
    return {shape_only(tensor), node};
  return keep(tensor, Checkpoint::depth());
}

void let_go(Node& node) {
  node.spent = true;
  for (auto* list : {&node.in, &node.out})
    for (Saved& saved : *list) saved = {shape_only(saved.tensor)};
  node.held = nullptr;
}

// A cheap step's result once more; those who ask while one is alive share it.
Tensor make_again(Node& node, int32_t slot) {
  node.remade.resize(node.out.size());
  Tensor result = shape_only(node.out[slot].tensor);
  result.view = contiguous_view(result.dtype(), result.shape());
  if ((result.buffer = node.remade[slot].lock())) return result;
  Call call{node.op, {}, {}, node.params, node.held, node.weight};
  for (const Saved& saved : node.in) call.in.push_back(restore(saved));
  for (const Saved& saved : node.out)
    call.out.push_back(make_tensor(saved.tensor.dtype(), saved.tensor.shape()));
  enqueue_call(call);
  for (size_t i = 0; i < call.out.size(); i++) node.remade[i] = call.out[i].buffer;
  return call.out[slot];
}

std::vector<Edge> edges_of(const std::vector<Tensor>& in) {
  std::vector<Edge> edges;
  for (const Tensor& tensor : in) edges.push_back({tensor.node, tensor.slot});
  return edges;
}

bool any_recorded(const std::vector<Tensor>& in) {
  return std::any_of(in.begin(), in.end(), [](const Tensor& tensor) { return tensor.node != nullptr; });
}

// Every node that the root leads to, the last recorded first.
std::vector<Node*> walk(Node* root) {
  std::vector<Node*> found{root};
  std::unordered_set<Node*> seen{root};
  for (size_t i = 0; i < found.size(); i++)
    for (const Edge& edge : found[i]->inputs)
      if (edge.node && seen.insert(edge.node.get()).second) found.push_back(edge.node.get());
  std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->order > b->order; });
  return found;
}

// Throws Invalid naming the first thing that stands in the way.
void check(const Node& node, std::unordered_set<const Checkpoint*>& seen) {
  if (node.is_leaf()) return;
  if (node.spent)
    throw Invalid("backward: the gradient of this " + node.name +
                  " was taken before, and what it kept was let go. Compute the loss again, or call the first "
                  "backward with { retainGraph: true }.");
  if (node.op && !node.op->gradient)
    throw Invalid("backward: " + node.name +
                  " has no gradient. Use an operation that has one, or detach() its result.");
  for (const auto* list : {&node.in, &node.out})
    for (const Saved& saved : *list) check_saved(saved, node.name, seen);
}

// A gradient on its way, and whether its memory is nobody else's: then more may be added in place.
struct Arrival {
  Tensor tensor;
  bool owned = false;
  bool one = false; // known to be 1
};

bool fills_its_buffer(const Tensor& tensor) {
  return is_contiguous(tensor.view) &&
         tensor.buffer->bytes == static_cast<size_t>(count_of(tensor.view)) * dtype_bytes(tensor.dtype());
}

void arrive(Arrival& at, Arrival more) {
  if (!at.tensor.buffer) {
    at = std::move(more);
  } else if (at.owned && fills_its_buffer(at.tensor)) {
    add_into(at.tensor, more.tensor);
  } else {
    at = {add(at.tensor, more.tensor), true, false};
  }
}

// Whether given[i] is memory that nobody else looks at: made by its operation for it alone, or handed on by a
// view.
bool is_owned(const Node& node, const std::vector<bool>& owned, const Gradients& arrived,
              const Gradients& given, size_t i) {
  const auto same = [&](const Tensor& tensor) { return tensor.buffer == given[i].buffer; };
  if (std::count_if(given.begin(), given.end(), same) > 1) return false;
  for (size_t k = 0; k < arrived.size(); k++)
    if (same(arrived[k])) return owned[k];
  for (const auto* list : {&node.in, &node.out})
    for (const Saved& saved : *list)
      if (same(saved.tensor) || (saved.remade && saved.remade->buffer == given[i].buffer)) return false;
  return true;
}

// A leaf's gradient has memory of its own, to which further ones are added.
void gather(Node& leaf, Arrival arrival) {
  if (leaf.gradient.buffer)
    add_into(leaf.gradient, arrival.tensor);
  else if (arrival.owned && fills_its_buffer(arrival.tensor))
    leaf.gradient = std::move(arrival.tensor);
  else
    leaf.gradient = copied(arrival.tensor);
}

// What checkpoints made again for a backward ends with it.
struct Forgetting {
  ~Forgetting() { Checkpoint::forget(); }
};

} // namespace

Tensor shape_only(Tensor tensor) {
  tensor.node = nullptr;
  tensor.buffer = nullptr;
  return tensor;
}

Saved keep(const Tensor& tensor, size_t depth) {
  if (auto remade = Checkpoint::find(tensor, depth)) return {shape_only(tensor), nullptr, std::move(remade)};
  return {without_node(tensor), nullptr, nullptr, tensor.buffer->version};
}

Tensor restore(const Saved& saved) {
  if (saved.again) return make_again(*saved.again, saved.tensor.slot);
  Tensor tensor = saved.tensor;
  if (!saved.remade) return tensor;
  if (!saved.remade->buffer) saved.remade->checkpoint->run_again();
  tensor.buffer = saved.remade->buffer;
  return tensor;
}

void check_saved(const Saved& saved, const std::string& user, std::unordered_set<const Checkpoint*>& seen) {
  if (saved.again && saved.again->spent)
    throw Invalid("backward: what the gradient of this " + user +
                  " needs was let go by an earlier backward. Compute the loss again, or call the first "
                  "backward with { retainGraph: true }.");
  if (saved.tensor.buffer && saved.tensor.buffer->version != saved.version)
    throw Invalid("backward: a tensor that the gradient of " + user +
                  " needs was changed in place since. Compute the loss again after an optimizer's step.");
  if (saved.remade) saved.remade->checkpoint->check(user, seen);
}

Node::~Node() {
  // Whoever is last to hold an input takes it apart here, in a loop.
  thread_local std::vector<std::shared_ptr<Node>>* pending = nullptr;
  std::vector<std::shared_ptr<Node>> own;
  const bool outermost = !pending;
  if (outermost) pending = &own;
  for (Edge& edge : inputs)
    if (edge.node) pending->push_back(std::move(edge.node));
  for (auto* list : {&in, &out})
    for (Saved& saved : *list)
      if (saved.again) pending->push_back(std::move(saved.again));
  if (!outermost) return;
  while (!own.empty()) {
    const auto node = std::move(own.back());
    own.pop_back();
  }
  pending = nullptr;
}

std::shared_ptr<Node> make_leaf(const Tensor& tensor) {
  auto node = std::make_shared<Node>();
  node->name = "leaf";
  node->order = next_order();
  node->out.push_back({shape_only(tensor)});
  return node;
}

std::shared_ptr<Node> record(const Call& call) {
  if (!any_recorded(call.in)) return nullptr;
  const bool differentiable =
      std::any_of(call.out.begin(), call.out.end(), [](const Tensor& t) { return is_floating(t.dtype()); });
  if (!differentiable) return nullptr;
  auto node = std::make_shared<Node>();
  node->checkpoint = Checkpoint::innermost();
  node->op = call.op;
  node->name = name_of(call);
  node->order = next_order();
  node->params = call.params;
  node->held = call.held;
  node->weight = call.weight;
  node->inputs = edges_of(call.in);
  const uint32_t keeps = call.op->keeps ? call.op->keeps(call) : 0;
  for (size_t i = 0; i < call.in.size(); i++) {
    // An operation of many inputs keeps all or none.
    const bool kept = i < 16 ? keeps & kInput << i : false;
    // What makes a cheap result again must be there itself.
    node->in.push_back(save(call.in[i], kept));
    node->in.back().tensor.slot = call.in[i].slot;
  }
  for (size_t i = 0; i < call.out.size(); i++) {
    Tensor own = call.out[i];
    own.node = nullptr;
    node->out.push_back(save(own, keeps & kResult << i));
  }
  return node;
}

Backward::Backward(Node& node, const Gradients& grads)
    : given(node.in.size()), node_(node), grads_(grads), so_far_(node.in.size()) {}

Tensor Backward::take(size_t i) {
  Saved& saved = node_.out[i];
  if (keep_ || !saved.tensor.buffer) return copied(out(i));
  const Tensor taken = saved.tensor;
  saved = {shape_only(taken)};
  return taken;
}

Tensor Backward::in(size_t i) const { return restore(node_.in[i]); }
Tensor Backward::out(size_t i) const { return restore(node_.out[i]); }

Tensor Backward::grad(size_t i) const {
  if (grads_[i].buffer) return grads_[i];
  const lensor_view& view = out_view(i);
  return full(view.dtype, {view.shape, view.shape + view.rank}, 0);
}

void backward(const Tensor& root, const Tensor& seed, bool keep) {
  const OwnerScope gradients(Kind::gradient);
  const Forgetting forgetting;
  if (!root.node) throw Invalid("backward: nothing that this tensor was made of asks for a gradient");
  const std::shared_ptr<Node> start = root.node;
  const std::vector<Node*> nodes = walk(start.get());
  std::unordered_set<const Checkpoint*> seen;
  for (const Node* node : nodes) check(*node, seen);
  std::unordered_map<Node*, std::vector<Arrival>> arrived;
  const auto add_to = [&](const Edge& edge, Arrival arrival) {
    auto& all = arrived[edge.node.get()];
    all.resize(edge.node->out.size());
    arrive(all[edge.slot], std::move(arrival));
  };
  const auto so_far = [&](const Edge& edge) {
    const auto found = arrived.find(edge.node.get());
    if (found == arrived.end()) return Tensor{};
    const Arrival& at = found->second[edge.slot];
    return at.owned && fills_its_buffer(at.tensor) ? at.tensor : Tensor{};
  };
  const bool one = !seed.buffer;
  add_to({start, root.slot}, {one ? full(root.dtype(), root.shape(), 1) : seed, false, one});
  for (Node* node : nodes) {
    const auto found = arrived.find(node);
    if (found == arrived.end()) continue;
    std::vector<Arrival> came = std::move(found->second);
    arrived.erase(found);
    if (node->is_leaf()) {
      gather(*node, std::move(came[0]));
      continue;
    }
    Gradients grads;
    std::vector<bool> owned;
    for (Arrival& arrival : came) {
      owned.push_back(arrival.owned);
      grads.push_back(std::move(arrival.tensor));
    }
    Backward step(*node, grads);
    step.one_ = came[0].one, step.keep_ = keep;
    for (size_t i = 0; i < node->inputs.size(); i++) step.so_far_[i] = so_far(node->inputs[i]);
    node->op->gradient(step);
    const Gradients given = std::move(step.given);
    for (size_t i = 0; i < given.size(); i++)
      if (given[i].buffer && node->inputs[i].node)
        add_to(node->inputs[i], {given[i], is_owned(*node, owned, grads, given, i)});
    if (!keep) let_go(*node);
  }
}

} // namespace lensor
