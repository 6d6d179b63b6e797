#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/core/cluster_core.h"
#include "net/data_stream.h"
#include "net/tls_context.h"
#include "serve/peer/split/tls_dialer.h"

namespace drystone {

// This node's share of its cluster, alive: the core (cluster/core), its clock, its sockets, its
// files. Runs on a loop and a thread of its own, so that neither requests nor models delay a
// heartbeat. Unless it says otherwise, everything here is called on that loop.
class ClusterHost {
 public:
  struct Options {
    std::filesystem::path state;     // key, member list, shared state; made when missing
    std::string name;                // for people; empty: the host's
    std::uint16_t peer_port = 8399;  // 0: any free one
    std::vector<std::string> peers;  // "host:port", asked besides discovery
    std::string join_code;           // empty: found or go on
    bool discover = true;            // multicast
  };
  // Reads or makes the state, joins if asked to, listens; run() does the rest. Blocks (joining: up
  // to 30 s). Errors: invalid_argument, io, corrupt (each names the file or the flag), unavailable
  // (nobody answered the invitation).
  static Result<std::unique_ptr<ClusterHost>> open(const Options& options, const Clock& clock);
  virtual ~ClusterHost() = default;  // stops, tells the others, saves

  // Why run() ended.
  enum class End { stopped, restart };  // restart: the state was changed (joined, left, removed)
  virtual End run() = 0;                // on the calling thread, which becomes the loop's
  virtual void stop() = 0;              // any thread

  virtual boost::asio::any_io_executor executor() = 0;  // any thread
  virtual cluster::ClusterCore& core() = 0;
  // After calls of core() that may change it: sends, saves, tells the listeners.
  virtual void follow() = 0;
  // Added before run(); called on the loop for each event, after the state is saved.
  virtual void listen(std::function<void(const cluster::ClusterEvent&)> listener) = 0;

  virtual std::string self() const = 0;         // node id; any thread
  virtual std::uint16_t peer_port() const = 0;  // any thread
  virtual const TlsContext& tls() const = 0;    // any thread
  // Key and addresses of a member, the best first; any thread. nullopt: none that we know of.
  virtual std::optional<NodePlace> find(const std::string& node) const = 0;
  // Who takes data connections of members; set before run(). Called on the loop; must not block.
  virtual void set_data_handler(std::function<void(std::unique_ptr<DataStream>)> handler) = 0;
};

}  // namespace drystone
