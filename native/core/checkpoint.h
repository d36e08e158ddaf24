// Gradient checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost"): what operations
// make while a checkpoint is open is not kept for their gradients. When the first of those is taken, the same
// operations run again from the same inputs, all at once, and what they make is let go as the gradients are
// taken. Noted are the operations themselves, not the code that asked for them: the second run cannot differ
// from the first, whatever was random in it. JavaScript's thread alone; nothing here waits.
#pragma once
#include "tape.h"
#include <map>
#include <unordered_set>

namespace lensor {

class Checkpoint;

// A result that is not kept but made again. Its checkpoint lives as long as somebody may ask for it.
struct Remade {
  std::shared_ptr<Checkpoint> checkpoint;
  BufferRef buffer; // while gradients are taken, once the checkpoint has run again
};

class Checkpoint : public std::enable_shared_from_this<Checkpoint> {
public:
  // Notes a call that is about to be recorded and enqueued, in all that are open on this thread.
  static void note(const Call& call);
  // Of what one of the outermost `depth` that are open has noted: how to have it again. Else null.
  static std::shared_ptr<Remade> find(const Tensor& tensor, size_t depth);
  static size_t depth();       // how many are open on this thread
  static uint64_t innermost(); // its number, 0: none is open
  // They nest. Throws Invalid past a depth, and where none is open.
  static void open();
  static void close();
  // Forgets what was made again, in all that ran again on this thread.
  static void forget();

  // Throws Invalid naming `user` where what the operations start from was changed in place since, or let go.
  void check(const std::string& user, std::unordered_set<const Checkpoint*>& seen) const;
  // Enqueues once more what somebody needs a result of, and all that leads to it.
  void run_again();

private:
  // What a step reads: a result of one before it, or what was there from the start.
  struct Source {
    int64_t step = -1;
    size_t slot = 0;
    Saved saved; // of `step`, the view alone
  };
  struct Step {
    Call call; // its tensors have shapes alone
    std::vector<Source> in;
    std::vector<std::weak_ptr<Remade>> remade;
  };
  struct Result {
    int64_t step;
    size_t slot;
  };

  const Result* made(const Tensor& tensor) const;
  std::shared_ptr<Remade> remade(const Result& result);
  std::vector<bool> needed() const;

  uint64_t number_ = 0;
  std::vector<Step> steps_;
  // Who made what, while it is open. A buffer's address may be used again, its control block is not.
  std::map<std::weak_ptr<Buffer>, Result, std::owner_less<>> results_;
};

} // namespace lensor
