#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/result.h"

namespace drystone {

// A file, mapped read-only for the life of the object. The file must not shrink meanwhile.
class MappedFile {
 public:
  // Errors: not_found, io; invalid_argument for what is not a regular file (a directory).
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  // Gives the whole pages of `part` back to the system; they are read again when touched.
  void drop(std::span<const std::byte> part) const;

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace drystone
