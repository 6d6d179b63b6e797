#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "compute/dtype.h"
#include "model/gguf/metadata.h"

namespace drystone {

// One tensor of a model file. dims[0] is the contiguous one (the inputs of a matrix); absent dims
// are 1.
struct GgufTensor {
  std::string name;
  DType type;
  std::uint64_t dims[4] = {1, 1, 1, 1};
  std::uint32_t n_dims = 0;
  std::uint32_t part = 0;    // which file of a split model
  std::uint64_t offset = 0;  // of the data, from the start of that file
  Bytes bytes = 0;
};

// A GGUF v3 model, memory-mapped read-only; of a split model (`-00001-of-0000N.gguf`, any part may
// be named) all parts. Immutable after open; safe to read from several threads.
// docs/formats/gguf.md describes the layout.
class GgufFile {
 public:
  // Checks every count, offset and name against the size of the file before it is used.
  // Errors: not_found, io; corrupt naming the field, its value and what was expected; unsupported
  // (version, type id).
  static Result<GgufFile> open(const std::filesystem::path& path);
  // The same on bytes in memory, which must outlive the GgufFile (the embedded model, fuzzing).
  static Result<GgufFile> parse(std::span<const std::byte> bytes, std::string name = "memory");

  GgufFile(GgufFile&&) noexcept;
  GgufFile& operator=(GgufFile&&) noexcept;
  ~GgufFile();

  const Metadata& metadata() const;
  std::span<const GgufTensor> tensors() const;
  const GgufTensor* find(std::string_view name) const;  // null when absent
  std::span<const std::byte> data(const GgufTensor& tensor) const;
  // That what was read so far are the files' bytes. Errors: io (a file has shrunk since it was
  // opened, or the disk fails; zeros were read instead).
  Result<void> check_whole() const;
  // The process needs these bytes no more (madvise); they stay readable.
  void drop(std::span<const std::byte> bytes) const;
  const std::string& name() const;  // as given to open(): for messages
  Bytes file_bytes() const;         // all parts
  // The files behind it, one for each part; none after parse().
  std::span<const std::filesystem::path> files() const;

 private:
  struct Impl;
  explicit GgufFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace drystone
