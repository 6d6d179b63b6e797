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

// A tensor to be written; `fill` is called once, in order, and must append exactly its bytes
// through `sink`.
struct GgufTensorToWrite {
  std::string name;
  DType type;
  std::vector<std::uint64_t> dims;  // dims[0] contiguous
  std::function<Result<void>(const std::function<Result<void>(std::span<const std::byte>)>& sink)>
      fill;
};

// Writes a GGUF v3 file, tensor by tensor, aligned to 32 bytes. Memory stays at what one `fill`
// needs. Keys get the types that GGUF readers expect: integers u32 (i32, u64, i64 where they do not
// fit), in arrays i32 or i64; floats f32. `general.alignment` and `split.*` of `metadata` are left
// out: they describe another container. The file appears under its name once it is complete
// (`path`.partial before). Errors: io (path, disk full), and those of `fill`; the partial file is
// removed, an older file at `path` stays.
Result<void> write_gguf(const std::filesystem::path& path, const Metadata& metadata,
                        std::span<const GgufTensorToWrite> tensors);

}  // namespace drystone
