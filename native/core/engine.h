// The one engine of this process, and how work gets into its queue.
#pragma once
#include "executor.h"

namespace lensor {

// Made at the first use, never ended. Throws std::runtime_error on bad LENSOR_CPU, _THREADS or _MEMORY.
Executor& engine();
// Pushes, or throws because the wait for room was interrupted.
void enqueue(Task task);

} // namespace lensor
