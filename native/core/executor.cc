#include "executor.h"
#include <chrono>
#include <exception>
#include <new>

namespace lensor {

namespace {

// Results waiting in the queue: more than this and the caller waits, so that a loop cannot ask for all memory
// at once.
constexpr size_t kQueueMost = size_t{1} << 30;

size_t bytes_of(const Task& task) {
  size_t sum = 0;
  for (const auto& output : task.outputs) sum += output->bytes;
  return sum;
}

std::shared_ptr<Failure> failed(std::string message, bool interrupted = false) {
  auto failure = std::make_shared<Failure>();
  failure->message = std::move(message);
  failure->interrupted = interrupted;
  return failure;
}

} // namespace

std::shared_ptr<Failure> Executor::failure_of(const Task& task, lensor_status status) {
  switch (status) {
  case LENSOR_OK:
    return nullptr;
  case LENSOR_INTERRUPTED:
    return failed(task.name + ": interrupted", true);
  case LENSOR_BAD_INDEX:
    return failed(task.name + ": an index lies outside the axis it selects from");
  case LENSOR_BAD_VALUE:
    return failed(task.name + ": a matrix is not positive definite, or is singular");
  case LENSOR_OUT_OF_MEMORY:
    break;
  }
  return failed(task.name + ": " + out_of_memory("Its scratch memory could not be had"));
}

Executor::Executor(int threads, const lensor_ops* ops)
    : ops_(ops), pool_(threads), thread_([this] { loop(); }) {
  thread_.detach(); // lives as long as the process
}

bool Executor::push(Task&& task) {
  size_t bytes = bytes_of(task);
  std::unique_lock lock(mutex_);
  while (bytes > 0 && queued_bytes_ > 0 && queued_bytes_ + bytes > kQueueMost) {
    room_.wait_for(lock, std::chrono::milliseconds(10));
    if (pool_.interrupted()) return false;
  }
  queued_bytes_ += bytes;
  queue_.push_back(std::move(task));
  lock.unlock();
  more_.notify_one();
  return true;
}

std::vector<std::string> Executor::take_failures() {
  std::lock_guard lock(mutex_);
  std::vector<std::string> messages;
  for (const auto& failure : failures_)
    if (!failure->reported && !failure->interrupted) messages.push_back(failure->message);
  failures_.clear();
  return messages;
}

void Executor::loop() {
  for (;;) {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [this] { return !queue_.empty(); });
    Task task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    run(task);
    lock.lock();
    queued_bytes_ -= bytes_of(task);
    lock.unlock();
    room_.notify_all();
  }
}

void Executor::run(Task& task) {
  std::shared_ptr<Failure> failure;
  for (const auto& input : task.inputs)
    if (input->failure && !failure) failure = input->failure;
  const bool inherited = failure != nullptr;
  if (!failure) {
    try {
      pool_.begin_task();
      const OwnerScope scratch(Owner{task.owner.cell, Kind::scratch});
      lensor_status status = pool_.interrupted() ? LENSOR_INTERRUPTED : LENSOR_OK;
      if (status == LENSOR_OK) {
        for (const auto& output : task.outputs) {
          output->label.maker = task.name;
          if (!output->memory.data()) output->memory = Block(output->bytes, output->owner, &output->label);
          output->label.maker = {}; // the task's own
        }
        if (task.run) {
          lensor_context context = *pool_.context();
          if (!task.changes.empty()) context.interrupted = [](lensor_context*) { return 0; };
          const double begin = profile_task_begin();
          status = task.run(&context);
          profile_task_end(task, begin);
        }
      }
      failure = failure_of(task, status);
    } catch (const OutOfMemory& error) {
      failure = failed(task.name + ": " + error.told);
    } catch (const std::bad_alloc&) {
      failure = failure_of(task, LENSOR_OUT_OF_MEMORY);
    } catch (const std::exception& error) {
      failure = failed(task.name + ": " + error.what());
    }
  }
  if (failure) {
    for (const auto& output : task.outputs) {
      output->failure = failure;
      output->memory = Block();
    }
    if (!inherited && !task.done) {
      std::lock_guard lock(mutex_);
      failures_.push_back(failure);
    }
  }
  task.run = nullptr; // what it captured is freed before anyone hears that it is over
  if (task.done) task.done(failure);
}

} // namespace lensor
