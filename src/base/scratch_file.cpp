#include "base/scratch_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/file_bytes.h"

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
    return in_folder("writing", write_at(descriptor_, offset, bytes));
  }

  Result<void> read(Bytes offset, std::span<std::byte> bytes) override {
    return in_folder("reading", read_at(descriptor_, offset, bytes));
  }

 private:
  Result<void> in_folder(const char* doing, Result<void> done) const {
    if (done) return done;
    return std::move(done).error().with(fmt::format("{} the scratch file in {}", doing, folder_));
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
