#include "dispatch.h"
#include <stdexcept>

namespace lensor {

namespace scalar {
extern const lensor_ops table;
extern const TextKernels texts;
} // namespace scalar
#if defined(__x86_64__)
namespace avx2 {
extern const lensor_ops table;
extern const TextKernels texts;
} // namespace avx2
namespace avx512 {
extern const lensor_ops table;
extern const TextKernels texts;
} // namespace avx512
namespace avx512bf16 {
extern const lensor_ops table;
extern const TextKernels texts;
} // namespace avx512bf16
#endif

#if defined(LENSOR_ONLY)
const std::vector<const lensor_ops*>& cpu_tables() {
  static const std::vector<const lensor_ops*> tables{&LENSOR_ONLY::table};
  return tables;
}
#else
const std::vector<const lensor_ops*>& cpu_tables() {
  static const std::vector<const lensor_ops*> tables = [] {
    std::vector<const lensor_ops*> list{&scalar::table};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"))
      list.push_back(&avx2::table);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vnni")) {
      list.push_back(&avx512::table);
      if (__builtin_cpu_supports("avx512bf16")) list.push_back(&avx512bf16::table);
    }
#endif
    return list;
  }();
  return tables;
}
#endif

const TextKernels& text_kernels(const lensor_ops* ops) {
#if defined(LENSOR_ONLY)
  return LENSOR_ONLY::texts;
#else
  const std::string name = ops->name;
#if defined(__x86_64__)
  if (name == "avx512bf16") return avx512bf16::texts;
  if (name == "avx512") return avx512::texts;
  if (name == "avx2") return avx2::texts;
#endif
  return scalar::texts;
#endif
}

const lensor_ops* cpu_table(const std::string& forced) {
  const auto& tables = cpu_tables();
  if (forced.empty()) return tables.back();
  std::string names;
  for (const auto* table : tables) {
    if (forced == table->name) return table;
    names += (names.empty() ? "" : ", ") + std::string(table->name);
  }
  throw std::runtime_error(
      "LENSOR_CPU names an instruction set that this machine does not have: expected one of " + names +
      ", got " + forced + ".");
}

} // namespace lensor
