// A file in memory, read-only, page by page as it is touched. Throws std::runtime_error where it cannot be
// mapped or is not of the size that was checked.
#pragma once
#include <cstddef>
#include <string>

namespace lensor {

class MappedFile {
public:
  MappedFile(const std::string& path, size_t size);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;

  // A range that must lie inside the file.
  const void* at(size_t offset, size_t bytes) const;
  // Lets go of the pages that lie wholly inside a range: they were copied and are not needed again.
  void forget(size_t offset, size_t bytes) const;

private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

} // namespace lensor
