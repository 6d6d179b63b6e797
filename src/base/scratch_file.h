#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/units.h"

namespace drystone {

// A file for what memory has no room for; its contents live no longer than the object. An
// interface, so that a test decides what its disk does. One thread may read while another writes
// elsewhere in the file.
class ScratchFile {
 public:
  virtual ~ScratchFile() = default;
  // Errors: io (full, broken, taken away); the range then holds anything.
  virtual Result<void> write(Bytes offset, std::span<const std::byte> bytes) = 0;
  // Errors: io, also where the file ends earlier; `bytes` then hold anything.
  virtual Result<void> read(Bytes offset, std::span<std::byte> bytes) = 0;
};

// An empty file in `folder` that only this user may read and that has no name: nobody finds it, and
// the system takes it back when the process ends, however that happens. It takes room as it is
// written. Errors: io (no such folder, it cannot be written, or `bytes_max` are not free on its
// disk).
Result<std::unique_ptr<ScratchFile>> make_scratch_file(const std::filesystem::path& folder,
                                                       Bytes bytes_max);

}  // namespace drystone
