#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/node_key.h"
#include "net/socket_handle.h"

namespace drystone {

// $XDG_STATE_HOME/drystone, or ~/.local/state/drystone. Errors: not_found (neither is set).
Result<std::filesystem::path> default_state_folder();

// What a node keeps between its lives, in a folder that only its owner may read:
//   lock          held while a process uses the folder
//   node.key      who the node is (net/node_key.h)
//   cluster.json  whose cluster it is in: member list and shared state
// All calls block.
class StateFolder {
 public:
  // Makes the folder where there is none, and locks it until the object goes.
  // Errors: io (cannot be made or written), unavailable (another process uses it).
  static Result<StateFolder> open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path cluster_file() const { return path_ / "cluster.json"; }

  // Errors: those of NodeKey::load_or_make.
  Result<NodeKey> load_or_make_key() const;

  // None: the node was in no cluster yet. Errors: io, limit (longer than a cluster file may be).
  Result<std::optional<std::string>> load_cluster() const;
  // Whole or not at all, also when the power fails. Errors: io; the file before it stays.
  Result<void> save_cluster(std::string_view text) const;

  // Forgets key and cluster: the next start makes a new node. Stopped in between, what is left is a
  // cluster file of a key that is gone, which the next start takes for the same. Errors: io.
  Result<void> start_over() const;

 private:
  StateFolder(std::filesystem::path path, SocketHandle lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;
  SocketHandle lock_;
};

}  // namespace drystone
