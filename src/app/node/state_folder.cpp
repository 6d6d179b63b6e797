#include "app/node/state_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>

#include "cluster/core/cluster_core.h"

namespace drystone {
namespace {

constexpr std::string_view kChooseAnother =
    "A node keeps its key and its cluster there: name a folder that it may write, with --state DIR";

Error failed(std::string_view doing, const std::filesystem::path& path, int code) {
  return {Errc::io, fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(code))};
}

Result<void> write_all(int file, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(file, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return failed("write", path, errno);
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

// That names in it are what they are now, also after a power cut.
Result<void> sync_folder(const std::filesystem::path& folder) {
  const SocketHandle file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return failed("write to the disk", folder, errno);
  return {};
}

}  // namespace

Result<std::filesystem::path> default_state_folder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::filesystem::path(state) / "drystone";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0')
    return std::filesystem::path(home) / ".local/state/drystone";
  return Error(Errc::not_found,
               "neither XDG_STATE_HOME nor HOME is set, so there is no place for this node's key: "
               "name a folder with --state DIR");
}

Result<StateFolder> StateFolder::open(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return Error(Errc::io, fmt::format("cannot make the state folder {}: {}. {}", folder.string(),
                                       error.message(), kChooseAnother));
  (void)::chmod(folder.c_str(), 0700);
  const std::filesystem::path path = folder / "lock";
  SocketHandle lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock)
    return Error(Errc::io,
                 fmt::format("{}. {}", failed("write", path, errno).message(), kChooseAnother));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed("lock", path, errno);
    return Error(Errc::unavailable,
                 fmt::format("another process uses the state folder {}: one node runs there "
                             "already. Another node needs a folder of its own (--state DIR)",
                             folder.string()));
  }
  return StateFolder(folder, std::move(lock));
}

Result<NodeKey> StateFolder::load_or_make_key() const {
  return NodeKey::load_or_make(path_ / "node.key");
}

Result<std::optional<std::string>> StateFolder::load_cluster() const {
  const std::filesystem::path path = cluster_file();
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) return std::optional<std::string>();
  if (error)
    return Error(Errc::io, fmt::format("cannot read {}: {}", path.string(), error.message()));
  if (size > cluster::kSavedBytesMax)
    return Error(Errc::limit, fmt::format("{} has {} bytes, at most {} may be", path.string(), size,
                                          cluster::kSavedBytesMax));
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size)))
    return failed("read", path, errno);
  return std::optional(std::move(text));
}

Result<void> StateFolder::save_cluster(std::string_view text) const {
  const std::filesystem::path path = path_ / "cluster.json.new";
  SocketHandle file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return failed("write", path, errno);
  TRY(write_all(file.get(), text, path));
  if (::fsync(file.get()) != 0) return failed("write to the disk", path, errno);
  file.reset();
  if (std::rename(path.c_str(), cluster_file().c_str()) != 0)
    return failed("replace", cluster_file(), errno);
  return sync_folder(path_);
}

Result<void> StateFolder::start_over() const {
  for (const char* name : {"node.key", "cluster.json"}) {
    const std::filesystem::path path = path_ / name;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("remove", path, errno);
    TRY(sync_folder(path_));
  }
  return {};
}

}  // namespace drystone
