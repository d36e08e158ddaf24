// How fast the machine is right now, on the executor's thread: the yardstick of rooflines and benchmarks.
#pragma once
#include "../include/lensor_abi.h"

namespace lensor {

// Operations a second in registers (see lensor_ops::probe_fma).
double probe_compute(lensor_context*, const lensor_ops*, int32_t dtype, double seconds);
// Bytes a second read from memory that no cache holds; at least one slice, however short the time.
double probe_memory(lensor_context*, const lensor_ops*, double seconds);

// Lets go of what the reading needs; it stays otherwise, since writing it takes longer than a reading.
void probe_release();

} // namespace lensor
