#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "compute/dtype.h"
#include "model/gguf/metadata.h"

namespace drystone {

// A tensor to be written; `fill` is called once, in order, and must append exactly its bytes through `sink`.
struct GgufTensorToWrite {
  std::string name;
  DType type;
  std::vector<std::uint64_t> dims;  // dims[0] contiguous
  std::function<Result<void>(const std::function<Result<void>(std::span<const std::byte>)>& sink)> fill;
};

// Key types as GGUF readers expect them: token types are i32, counts u32, scores f32 ...
// Writes a GGUF v3 file, tensor by tensor, aligned to 32 bytes. Memory stays at what one `fill` needs.
// Errors: io (path, disk full); the partial file is removed.
Result<void> write_gguf(const std::filesystem::path& path, const Metadata& metadata,
                        std::span<const GgufTensorToWrite> tensors);

}  // namespace drystone
