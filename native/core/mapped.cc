#include "mapped.h"
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#if defined(_WIN32)
#error "lensor's native code has not been ported to Windows: use WSL."
#endif
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lensor {

MappedFile::MappedFile(const std::string& path, size_t size) : size_(size) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::runtime_error(path + " cannot be opened: " + std::strerror(errno));
  struct stat info;
  if (fstat(file, &info) != 0 || static_cast<size_t>(info.st_size) != size) {
    close(file);
    throw std::runtime_error(path + " changed while it was being loaded");
  }
  data_ = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (data_ == MAP_FAILED) throw std::runtime_error(path + " cannot be mapped: " + std::strerror(errno));
}

MappedFile::~MappedFile() { munmap(data_, size_); }

const void* MappedFile::at(size_t offset, size_t bytes) const {
  if (offset > size_ || bytes > size_ - offset)
    throw std::runtime_error("a tensor lies past the end of its file");
  return static_cast<const char*>(data_) + offset;
}

void MappedFile::forget(size_t offset, size_t bytes) const {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t begin = (offset + page - 1) / page * page, end = (offset + bytes) / page * page;
  if (end > begin) madvise(static_cast<char*>(data_) + begin, end - begin, MADV_DONTNEED);
}

} // namespace lensor
