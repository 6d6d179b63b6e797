#include "compute/cpu/device/reserved_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>

#include "compute/cpu/device/control_group.h"

namespace drystone {
namespace {

bool populate(std::byte* data, Bytes bytes) {
#if defined(MADV_HUGEPAGE)
  madvise(data, bytes, MADV_HUGEPAGE);
#endif
#if defined(MADV_POPULATE_WRITE)
  if (madvise(data, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;  // EINVAL: a kernel that does not know it
#endif
  const auto page = static_cast<Bytes>(sysconf(_SC_PAGESIZE));
  for (Bytes at = 0; at < bytes; at += page) data[at] = std::byte{0};
  return true;
}

// The value of "key: value kB" in a file of the kernel.
std::optional<Bytes> read_figure(const char* path, std::string_view key) {
  std::ifstream file(path);
  std::string word;
  Bytes value;
  while (file >> word)
    if (word == key && file >> value) return value;
  return std::nullopt;
}

}  // namespace

Result<ReservedMemory> ReservedMemory::reserve(Bytes bytes, std::string_view what) {
  ReservedMemory memory;
  if (bytes == 0) return memory;
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data != MAP_FAILED) {
    memory.data_ = static_cast<std::byte*>(data);
    memory.bytes_ = bytes;
  }
  if (data == MAP_FAILED || !populate(memory.data_, bytes))
    return Error(Errc::out_of_memory, fmt::format("the system refused {} for the {}: {}",
                                                  format_bytes(bytes), what, std::strerror(errno)));
  return memory;
}

ReservedMemory::~ReservedMemory() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

Result<Bytes> available_memory() {
  std::optional<Bytes> available;
  if (const auto kib = read_figure("/proc/meminfo", "MemAvailable:")) available = *kib * kKiB;
#if defined(_SC_AVPHYS_PAGES)
  if (!available) {
    const long pages = sysconf(_SC_AVPHYS_PAGES);
    if (pages > 0)
      available = static_cast<Bytes>(pages) * static_cast<Bytes>(sysconf(_SC_PAGESIZE));
  }
#else  // macOS tells no such figure cheaply; all memory is the upper bound.
  if (!available) {
    const long pages = sysconf(_SC_PHYS_PAGES);
    if (pages > 0)
      available = static_cast<Bytes>(pages) * static_cast<Bytes>(sysconf(_SC_PAGESIZE));
  }
#endif
  if (!available) return Error(Errc::io, "the system does not say how much memory is available");
  if (const auto headroom = control_group_headroom()) available = std::min(*available, *headroom);
  return *available;
}

}  // namespace drystone
