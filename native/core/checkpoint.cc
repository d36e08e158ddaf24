#include "checkpoint.h"
#include <algorithm>

namespace lensor {

namespace {

constexpr size_t kDepthMost = 64;

// Those that are open, the innermost last.
std::vector<std::shared_ptr<Checkpoint>>& stack() {
  thread_local std::vector<std::shared_ptr<Checkpoint>> all;
  return all;
}

// Results that hold memory because their checkpoint ran again.
std::vector<std::weak_ptr<Remade>>& filled() {
  thread_local std::vector<std::weak_ptr<Remade>> all;
  return all;
}

} // namespace

size_t Checkpoint::depth() { return stack().size(); }
uint64_t Checkpoint::innermost() { return stack().empty() ? 0 : stack().back()->number_; }

void Checkpoint::open() {
  if (stack().size() >= kDepthMost)
    throw Invalid("checkpoints lie in each other at most " + std::to_string(kDepthMost) + " deep");
  static uint64_t count = 0;
  stack().push_back(std::make_shared<Checkpoint>());
  stack().back()->number_ = ++count;
}

void Checkpoint::close() {
  if (stack().empty()) throw Invalid("no checkpoint is open");
  Checkpoint& one = *stack().back();
  one.results_.clear();
  // Nobody can ask for more from now on.
  const std::vector<bool> needed = one.needed();
  for (size_t i = 0; i < needed.size(); i++)
    if (!needed[i]) one.steps_[i] = {};
  stack().pop_back();
}

const Checkpoint::Result* Checkpoint::made(const Tensor& tensor) const {
  // What was changed in place since is not what the operation would make again.
  if (tensor.buffer->version != 0) return nullptr;
  const auto found = results_.find(tensor.buffer);
  return found == results_.end() ? nullptr : &found->second;
}

std::shared_ptr<Remade> Checkpoint::remade(const Result& result) {
  std::weak_ptr<Remade>& known = steps_[result.step].remade[result.slot];
  if (auto one = known.lock()) return one;
  auto one = std::make_shared<Remade>(Remade{shared_from_this(), nullptr});
  known = one;
  return one;
}

std::shared_ptr<Remade> Checkpoint::find(const Tensor& tensor, size_t depth) {
  for (size_t i = depth; i-- > 0;)
    if (const Result* result = stack()[i]->made(tensor)) return stack()[i]->remade(*result);
  return nullptr;
}

void Checkpoint::note(const Call& call) {
  for (size_t depth = 0; depth < stack().size(); depth++) {
    Checkpoint& one = *stack()[depth];
    Step step{{call.op, {}, {}, call.params, call.held, call.weight}, {}, {}};
    for (const Tensor& tensor : call.in) {
      if (const Result* result = one.made(tensor))
        step.in.push_back({result->step, result->slot, {shape_only(tensor)}});
      else // those around this one may make it again
        step.in.push_back({-1, 0, keep(tensor, depth)});
    }
    for (const Tensor& tensor : call.out) step.call.out.push_back(shape_only(tensor));
    step.remade.resize(call.out.size());
    for (size_t slot = 0; slot < call.out.size(); slot++)
      one.results_[call.out[slot].buffer] = {static_cast<int64_t>(one.steps_.size()), slot};
    one.steps_.push_back(std::move(step));
  }
}

std::vector<bool> Checkpoint::needed() const {
  std::vector<bool> needed(steps_.size());
  for (size_t i = steps_.size(); i-- > 0;) {
    const auto& remade = steps_[i].remade;
    if (std::any_of(remade.begin(), remade.end(), [](const auto& one) { return !one.expired(); }))
      needed[i] = true;
    if (!needed[i]) continue;
    for (const Source& source : steps_[i].in)
      if (source.step >= 0) needed[source.step] = true;
  }
  return needed;
}

void Checkpoint::check(const std::string& user, std::unordered_set<const Checkpoint*>& seen) const {
  if (!seen.insert(this).second) return;
  const std::vector<bool> needed = this->needed();
  for (size_t i = 0; i < steps_.size(); i++)
    for (const Source& source : steps_[i].in)
      if (needed[i] && source.step < 0) check_saved(source.saved, user, seen);
}

void Checkpoint::run_again() {
  const OwnerScope tensors(Kind::tensor);
  const std::vector<bool> needed = this->needed();
  std::vector<size_t> last(steps_.size()); // who reads a step's results last
  for (size_t i = 0; i < steps_.size(); i++)
    for (const Source& source : steps_[i].in)
      if (needed[i] && source.step >= 0) last[source.step] = i;
  std::vector<std::vector<Tensor>> results(steps_.size());
  for (size_t i = 0; i < steps_.size(); i++) {
    if (!needed[i]) continue;
    Call call = steps_[i].call;
    for (Tensor& tensor : call.out) tensor = make_tensor(tensor.dtype(), tensor.shape());
    for (const Source& source : steps_[i].in) {
      call.in.push_back(source.step < 0 ? restore(source.saved) : source.saved.tensor);
      if (source.step >= 0) call.in.back().buffer = results[source.step][source.slot].buffer;
    }
    enqueue_call(call);
    for (size_t slot = 0; slot < call.out.size(); slot++)
      if (const auto one = steps_[i].remade[slot].lock()) {
        one->buffer = call.out[slot].buffer;
        filled().push_back(one);
      }
    results[i] = std::move(call.out);
    // What nobody reads any more is freed as the queue goes on.
    if (last[i] == 0) results[i].clear();
    for (const Source& source : steps_[i].in)
      if (source.step >= 0 && last[source.step] == i) results[source.step].clear();
  }
}

void Checkpoint::forget() {
  for (const auto& weak : filled())
    if (const auto one = weak.lock()) one->buffer = nullptr;
  filled().clear();
}

} // namespace lensor
