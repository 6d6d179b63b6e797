#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/gguf/gguf.h"
#include "serve/peer/files/file_session.h"
#include "store/presence.h"

namespace drystone {

// Which model a set of files is: hex SHA-256 over the sizes of its files, what stands before their
// tensors, and a sample of each tensor (docs/formats/files.md): a model that was trained or
// quantized anew differs in every tensor. Not over all bytes: that would take minutes.
struct ModelIdentity {
  std::string identity;
  ModelFiles files;
};

// Of files on disk. Reads their headers and samples. Errors: io, not_found, corrupt (they changed
// meanwhile).
Result<ModelIdentity> identify(const GgufFile& file);
// Of one in memory.
ModelIdentity identify(const GgufFile& file, std::span<const std::byte> bytes, std::string name);

// What of the tensors the identity is made of, some MB at most; by file, rising.
std::vector<FileRange> identity_samples(const GgufFile& file);

}  // namespace drystone
