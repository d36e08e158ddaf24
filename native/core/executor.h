// The one thread that native work runs on, in the order it was asked for. A task names what it reads and what
// it makes: where an input failed, its results fail with the same reason and it does not run. The queue is
// bounded by bytes.
#pragma once
#include "buffer.h"
#include "pool.h"
#include "profile.h"
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lensor {

struct Task {
  std::string name; // for errors: "matmul"
  std::vector<BufferRef> inputs;
  std::vector<BufferRef> outputs;
  // Runs with the outputs' memory taken. May throw std::exception.
  std::function<lensor_status(lensor_context*)> run;
  // Called on the executor's thread when the task is over, however it went.
  std::function<void(const std::shared_ptr<Failure>&)> done;
  // What it changes in place. Such a task runs to its end once it has begun, and where it fails before, what
  // it would have changed stays as it was.
  std::vector<BufferRef> changes{};
  Owner owner = memory_owner(); // who asked for it
  int32_t phase = profile_phase();
  std::string shapes{}; // told while a profile is wanted
};

class Executor {
public:
  Executor(int threads, const lensor_ops* ops);

  const lensor_ops* ops() const { return ops_.load(std::memory_order_relaxed); }
  // Another table of the same kernels, from its own thread: one that looks at what they do.
  void use(const lensor_ops* ops) { ops_ = ops; }
  Pool& pool() { return pool_; }

  // Enqueues. A task with results waits for room while those in the queue fill its bound; false, and the task
  // as it was, when that wait was interrupted.
  bool push(Task&& task);
  // Failures that no read has reported, oldest first; forgets them.
  std::vector<std::string> take_failures();
  // Says why a task must fail; for tasks that find out while they run.
  static std::shared_ptr<Failure> failure_of(const Task& task, lensor_status status);

private:
  void loop();
  void run(Task& task);

  std::atomic<const lensor_ops*> ops_;
  Pool pool_;
  std::mutex mutex_;
  std::condition_variable more_, room_;
  std::deque<Task> queue_;
  size_t queued_bytes_ = 0;
  std::vector<std::shared_ptr<Failure>> failures_;
  std::thread thread_;
};

} // namespace lensor
