#pragma once

#include <cstddef>
#include <memory>

#include "base/result.h"
#include "base/units.h"

namespace drystone {

struct UnmapMemory {
  Bytes bytes = 0;  // 0: memory of somebody else
  void operator()(std::byte* memory) const;
};

// Zeroed memory straight from the operating system: large pages where it has them (weights are read
// end to end for every token, and small pages would cost a table walk every 4 KiB), untouched parts
// take no memory.
using MappedMemory = std::unique_ptr<std::byte[], UnmapMemory>;

// Errors: out_of_memory. Aligned to 64 bytes at least. Zero bytes give an empty pointer.
Result<MappedMemory> map_memory(Bytes bytes);

}  // namespace drystone
