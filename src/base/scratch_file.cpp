#include "base/scratch_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace drystone {
namespace {

class NamelessFile final : public ScratchFile {
 public:
  NamelessFile(int descriptor, std::string folder)
      : descriptor_(descriptor), folder_(std::move(folder)) {}
  ~NamelessFile() override { ::close(descriptor_); }
  NamelessFile(const NamelessFile&) = delete;
  NamelessFile& operator=(const NamelessFile&) = delete;

  Result<void> write(Bytes offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return failed("writing", written, offset);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      offset += static_cast<Bytes>(written);
    }
    return {};
  }

  Result<void> read(Bytes offset, std::span<std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t got =
          ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return failed("reading", got, offset);
      bytes = bytes.subspan(static_cast<std::size_t>(got));
      offset += static_cast<Bytes>(got);
    }
    return {};
  }

 private:
  Error failed(const char* doing, ssize_t result, Bytes offset) const {
    return {Errc::io, fmt::format("{} at {} of the scratch file in {}: {}", doing, offset, folder_,
                                  result < 0 ? std::strerror(errno) : "the file ends there")};
  }

  const int descriptor_;
  const std::string folder_;
};

}  // namespace

Result<std::unique_ptr<ScratchFile>> make_scratch_file(const std::filesystem::path& folder,
                                                       Bytes bytes_max) {
  std::string name = (folder / "drystone-XXXXXX").string();
  const int descriptor = ::mkstemp(name.data());  // mode 0600
  if (descriptor < 0)
    return Error(Errc::io, fmt::format("cannot make a file in {}: {}. Name a folder that exists "
                                       "and that this user may write",
                                       folder.string(), std::strerror(errno)));
  auto file = std::make_unique<NamelessFile>(descriptor, folder.string());
  ::unlink(name.c_str());
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  std::error_code error;
  const Bytes free = std::filesystem::space(folder, error).available;
  if (!error && free < bytes_max)
    return Error(Errc::io,
                 fmt::format("{} has {} free, {} were asked for. Ask for less, or name a "
                             "folder on another disk",
                             folder.string(), format_bytes(free), format_bytes(bytes_max)));
  return std::unique_ptr<ScratchFile>(std::move(file));
}

}  // namespace drystone
