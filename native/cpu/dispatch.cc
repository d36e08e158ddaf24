#include "dispatch.h"
#include <stdexcept>

namespace lensor {

namespace scalar {
extern const lensor_ops table;
}
#if defined(__x86_64__)
namespace avx2 {
extern const lensor_ops table;
}
namespace avx512 {
extern const lensor_ops table;
}
namespace avx512bf16 {
extern const lensor_ops table;
}
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
