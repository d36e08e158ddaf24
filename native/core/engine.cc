#include "engine.h"
#include "../cpu/dispatch.h"
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace lensor {

Executor& engine() {
  static Executor* one = [] {
    const char* cpu = std::getenv("LENSOR_CPU");
    const char* text = std::getenv("LENSOR_THREADS");
    long threads = std::thread::hardware_concurrency();
    if (text && *text) {
      char* end = nullptr;
      threads = std::strtol(text, &end, 10);
      if (*end || threads < 1 || threads > 1024)
        throw std::runtime_error("LENSOR_THREADS: expected a whole number from 1 to 1024, got " +
                                 std::string(text) + ".");
    }
    (void)memory_use(); // reads LENSOR_MEMORY
    return new Executor(static_cast<int>(threads), cpu_table(cpu ? cpu : ""));
  }();
  return *one;
}

void enqueue(Task task) {
  if (engine().push(std::move(task))) return;
  throw std::runtime_error(task.name + ": interrupted while it waited for room in the queue");
}

} // namespace lensor
