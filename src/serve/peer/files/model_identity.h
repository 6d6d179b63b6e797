#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"
#include "model/gguf/gguf.h"
#include "store/presence.h"

namespace drystone {

// Which model a set of files is: hex SHA-256 over the sizes of its files and what stands before
// their tensors (docs/formats/files.md). Not over the tensors: that would take minutes.
struct ModelIdentity {
  std::string identity;
  ModelFiles files;
};

// Of files on disk. Reads their headers. Errors: io, corrupt (they changed meanwhile).
Result<ModelIdentity> identify(const GgufFile& file);
// Of one in memory.
ModelIdentity identify(const GgufFile& file, std::span<const std::byte> bytes, std::string name);

}  // namespace drystone
