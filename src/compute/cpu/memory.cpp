#include "compute/cpu/memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace drystone {

void UnmapMemory::operator()(std::byte* memory) const {
  if (bytes > 0) munmap(memory, bytes);
}

Result<MappedMemory> map_memory(Bytes bytes) {
  if (bytes == 0) return MappedMemory();
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return Error(Errc::out_of_memory, fmt::format("cannot reserve {} of memory: {}",
                                                  format_bytes(bytes), std::strerror(errno)));
#if defined(MADV_HUGEPAGE)
  constexpr Bytes kLargePage = 2 * kMiB;
  if (bytes >= kLargePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return MappedMemory(static_cast<std::byte*>(memory), UnmapMemory{bytes});
}

}  // namespace drystone
