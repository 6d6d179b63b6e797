#include "app/node/state/state_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "app/node/state/kept_text.h"
#include "base/file_bytes.h"
#include "cluster/core/cluster_core.h"

namespace drystone {
namespace {

constexpr std::string_view kChooseAnother =
    "A node keeps its key and its cluster there: name a folder that it may write, with --state DIR";

Error failed(std::string_view doing, const std::filesystem::path& path, int code) {
  return {Errc::io, fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(code))};
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
  return read_kept_text(cluster_file(), cluster::kSavedBytesMax);
}

Result<void> StateFolder::save_cluster(std::string_view text) const {
  return keep_text(cluster_file(), text);
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
