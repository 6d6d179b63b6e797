#include "app/node/state/kept_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>

#include "base/file_bytes.h"
#include "net/socket_handle.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

Error failed(const fs::path& path, const char* doing) {
  return {Errc::io, fmt::format("{}: cannot {}: {}", path.string(), doing, std::strerror(errno))};
}

}  // namespace

Result<std::optional<std::string>> read_kept_text(const fs::path& path, std::size_t bytes_max) {
  std::error_code none;
  if (!fs::exists(path, none)) return std::optional<std::string>();
  std::ifstream in(path, std::ios::binary);
  const auto size = fs::file_size(path, none);
  if (!in.is_open() || none) return failed(path, "read");
  if (size > bytes_max)
    return Error(Errc::limit, fmt::format("{}: it has {} bytes, at most {} may be", path.string(),
                                          size, bytes_max));
  std::string text(size, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(size))) return failed(path, "read");
  return std::optional(std::move(text));
}

Result<void> keep_text(const fs::path& path, std::string_view text) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const fs::path part = path.string() + ".part";
  {
    const SocketHandle file(
        ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return failed(part, "write");
    if (auto done = write_at(file.get(), 0, std::as_bytes(std::span(text))); !done)
      return std::move(done).error().with(part.string() + ": cannot write");
    if (::fsync(file.get()) != 0) return failed(part, "write");
  }
  if (::rename(part.c_str(), path.c_str()) != 0) return failed(path, "write");
  return sync_folder(path.parent_path());
}

}  // namespace drystone
