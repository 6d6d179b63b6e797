#include "serve/peer/files/whole_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file_bytes.h"
#include "net/socket_handle.h"

namespace drystone {
namespace {

class DiskFiles final : public WholeFiles {
 public:
  DiskFiles(ModelFiles files, std::vector<SocketHandle> handles)
      : files_(std::move(files)), handles_(std::move(handles)) {}

  const ModelFiles& files() const override { return files_; }

  Result<void> read(std::size_t file, Bytes offset, std::span<std::byte> into) const override {
    auto done = read_at(handles_[file].get(), offset, into);
    if (!done) return std::move(done).error().with(files_[file].name);
    return done;
  }

 private:
  const ModelFiles files_;
  const std::vector<SocketHandle> handles_;
};

class MemoryFile final : public WholeFiles {
 public:
  MemoryFile(ModelFiles files, std::span<const std::byte> bytes)
      : files_(std::move(files)), bytes_(bytes) {}

  const ModelFiles& files() const override { return files_; }

  Result<void> read(std::size_t file, Bytes offset, std::span<std::byte> into) const override {
    CHECK(file == 0 && offset + into.size() <= bytes_.size(), file, offset, into.size());
    std::memcpy(into.data(), bytes_.data() + offset, into.size());
    return {};
  }

 private:
  const ModelFiles files_;
  const std::span<const std::byte> bytes_;
};

}  // namespace

Result<std::shared_ptr<const WholeFiles>> open_whole_files(
    const ModelFiles& files, std::span<const std::filesystem::path> paths) {
  CHECK(files.size() == paths.size(), files.size(), paths.size());
  std::vector<SocketHandle> handles;
  for (std::size_t i = 0; i < files.size(); ++i) {
    // Without O_NONBLOCK a pipe would wait for a writer.
    SocketHandle handle(::open(paths[i].c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status{};
    if (!handle || ::fstat(handle.get(), &status) != 0)
      return Error(errno == ENOENT ? Errc::not_found : Errc::io,
                   fmt::format("{}: cannot open: {}", paths[i].string(), std::strerror(errno)));
    if (!S_ISREG(status.st_mode) || static_cast<Bytes>(status.st_size) != files[i].size)
      return Error(Errc::corrupt, fmt::format("{}: it has not its {} bytes any more",
                                              paths[i].string(), files[i].size));
    handles.push_back(std::move(handle));
  }
  return std::shared_ptr<const WholeFiles>(std::make_shared<DiskFiles>(files, std::move(handles)));
}

std::shared_ptr<const WholeFiles> whole_file_in_memory(const ModelFiles& files,
                                                       std::span<const std::byte> bytes) {
  return std::make_shared<MemoryFile>(files, bytes);
}

}  // namespace drystone
