#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "serve/peer/files/file_server.h"

namespace drystone {

// Files on disk, opened once: who replaces one meanwhile does not change what is read.
// Errors: not_found, io, corrupt (another size than `files` says).
Result<std::shared_ptr<const WholeFiles>> open_whole_files(
    const ModelFiles& files, std::span<const std::filesystem::path> paths);

// One file in memory, which must outlive it.
std::shared_ptr<const WholeFiles> whole_file_in_memory(const ModelFiles& files,
                                                       std::span<const std::byte> bytes);

}  // namespace drystone
