#include "base/file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace drystone {
namespace {

Error failed(ssize_t result, const char* at_end, Bytes offset) {
  return {Errc::io,
          fmt::format("{} at byte {}", result < 0 ? std::strerror(errno) : at_end, offset)};
}

}  // namespace

Result<void> read_at(int file, Bytes offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t got = ::pread(file, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failed(got, "it ends", offset);
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<Bytes>(got);
  }
  return {};
}

Result<void> write_at(int file, Bytes offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return failed(put, "nothing could be written", offset);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<Bytes>(put);
  }
  return {};
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int code = opened < 0 || ::fsync(opened) != 0 ? errno : 0;
  if (opened >= 0) ::close(opened);
  if (code == 0) return {};
  return Error(Errc::io, fmt::format("{}: cannot write to the disk: {}", folder.string(),
                                     std::strerror(code)));
}

}  // namespace drystone
