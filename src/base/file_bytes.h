#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/result.h"
#include "base/units.h"

namespace drystone {

// Bytes of open files, whole: what a signal or the system cuts short goes on. `file` is a
// descriptor. The errors (io) say what is wrong and at which byte; of which file is the caller's to
// add.

// Also an error where the file ends earlier; `into` then holds anything.
Result<void> read_at(int file, Bytes offset, std::span<std::byte> into);
// After an error the range holds anything.
Result<void> write_at(int file, Bytes offset, std::span<const std::byte> bytes);

// That the names in a folder are what they are now, also after a power cut. Errors: io.
Result<void> sync_folder(const std::filesystem::path& folder);

}  // namespace drystone
