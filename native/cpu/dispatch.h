// Which of the compiled instruction sets this machine runs, best last. Decided by cpuid, once.
#pragma once
#include "../include/lensor_abi.h"
#include "texts.h"
#include <string>
#include <vector>

namespace lensor {

// Every table that this machine can run, from plain to best.
const std::vector<const lensor_ops*>& cpu_tables();
// The best one, or the one that `forced` names. Throws std::runtime_error naming those there are.
const lensor_ops* cpu_table(const std::string& forced);
// Those of the same instruction set.
const TextKernels& text_kernels(const lensor_ops*);

} // namespace lensor
