#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/result.h"
#include "model/gguf/watched_pages.h"

namespace drystone {

// A file, mapped read-only for the life of the object.
class MappedFile {
 public:
  // Errors: not_found, io; invalid_argument for what is not a regular file (a directory).
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  // That all bytes which were read are the file's: where it has shrunk, or the disk fails, zeros
  // are. Errors: io.
  Result<void> check_whole() const;
  // Gives the whole pages of `part` back to the system; they are read again when touched.
  void drop(std::span<const std::byte> part) const;

 private:
  MappedFile(std::filesystem::path path, std::span<const std::byte> bytes)
      : path_(std::move(path)), bytes_(bytes) {}
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
  WatchedPages watched_;
};

}  // namespace drystone
