#include "budget.h"
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace lensor {

namespace {

// The first number of a file such as a control group's limit; `none` where there is none ("max", no file).
size_t number_in(const std::string& path, size_t none) {
  std::ifstream file(path);
  size_t value;
  return file >> value ? value : none;
}

// "name: 123 kB" of a file of such lines; a name with its separator.
size_t line_in(const std::string& path, const std::string& name, size_t none) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line))
    if (line.compare(0, name.size(), name) == 0)
      return std::strtoull(line.c_str() + name.size(), nullptr, 10);
  return none;
}

// What is left below a control group's limit; file pages that nobody uses count as left.
size_t left_in_group(const std::string& folder, const char* limit, const char* usage) {
  const size_t most = number_in(folder + limit, SIZE_MAX), used = number_in(folder + usage, 0);
  if (most >= SIZE_MAX / 2) return SIZE_MAX;
  const size_t idle = line_in(folder + "memory.stat", "inactive_file ", 0);
  const size_t held = used - std::min(used, idle);
  return most - std::min(most, held);
}

// This process's group and those around it, in version 2's tree.
size_t left_in_groups() {
  size_t left = left_in_group("/sys/fs/cgroup/memory/", "memory.limit_in_bytes", "memory.usage_in_bytes");
  std::ifstream file("/proc/self/cgroup");
  std::string line, path;
  while (std::getline(file, line))
    if (line.compare(0, 3, "0::") == 0) path = line.substr(3);
  for (;;) {
    const std::string folder = "/sys/fs/cgroup" + path + (path == "/" ? "" : "/");
    left = std::min(left, left_in_group(folder, "memory.max", "memory.current"));
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos || path.size() <= 1) return left;
    path = slash == 0 ? "/" : path.substr(0, slash);
  }
}

} // namespace

size_t available_memory() {
  const size_t free = line_in("/proc/meminfo", "MemAvailable:", 0) * 1024;
  if (free) return std::min(free, left_in_groups());
  const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(size) : 0;
}

size_t parse_memory(const std::string& text) {
  std::istringstream in(text);
  double number = 0;
  std::string unit;
  if (in >> number) in >> unit;
  double scale = 0;
  if (unit.empty() || unit == "B") scale = 1;
  if (unit == "KB") scale = 1e3;
  if (unit == "MB") scale = 1e6;
  if (unit == "GB") scale = 1e9;
  const double bytes = number * scale;
  if (!in.eof() || !(bytes >= 1e6 && bytes < 1e15))
    throw std::runtime_error("LENSOR_MEMORY: expected an amount of at least 1MB, such as 8GB, got " + text +
                             ".");
  return static_cast<size_t>(bytes);
}

} // namespace lensor
