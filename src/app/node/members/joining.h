#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/node/members/join_cluster.h"
#include "app/node/state/state_folder.h"
#include "cluster/core/cluster_core.h"

namespace drystone {

// How a node that is alone in its cluster becomes a member of another: with a code that `drystone
// invite` printed there. The other cluster is on disk then, in place of its own; the node has to
// begin anew with it. On the loop.
class Joining {
 public:
  struct Options {
    std::vector<std::string> peers;  // "host:port", asked besides those of the code
    std::uint16_t our_port = 0;      // where we take connections
    bool discover = true;            // look for the invitation in the local networks
    // Nobody else writes the cluster's file while the other one is put there; if that fails, our
    // own is to be written again.
    std::function<void()> pause_saving, resume_saving;
  };
  struct Rooms {
    boost::asio::io_context& loop;
    const Clock& clock;
    const TlsContext& tls;
    cluster::Crypto& crypto;  // of the same key
    const StateFolder& folder;
  };
  struct Entered {
    std::unique_ptr<cluster::ClusterCore> core;  // of the other cluster
    std::string by;                              // "host:port" of who let us in
    std::vector<std::string> dropped;            // models that were wanted in our own
  };
  // Borrows the rooms for its life, which is longer than the loop's.
  Joining(Options options, const Rooms& rooms) : options_(std::move(options)), rooms_(rooms) {}

  // Before anybody runs the loop: runs it itself, for up to 30 s. nullopt: this node is in a
  // cluster with others already. `own`: its core. Errors: invalid_argument (the code; one of our
  // own cluster; refused), unavailable, io.
  Result<std::optional<Entered>> join_first(const std::string& code,
                                            const cluster::ClusterCore& own);
  // While the loop runs. Calls `done` once, on it; `own` must live until then. Errors: as above;
  // invalid_argument (in a cluster with others); unavailable (it is joining or ending); cancelled
  // (by end()).
  void join(const std::string& code, const cluster::ClusterCore& own,
            std::function<void(Result<Entered>)> done);
  // The node ends: what is on disk stays.
  void end() { ended_ = true; }

 private:
  using Done = std::function<void(Result<Entered>)>;

  void ask(cluster::InvitationCode code, const cluster::ClusterCore& own, Done done);
  boost::asio::awaitable<void> try_to_join(JoinWish wish, const cluster::ClusterCore& own,
                                           Done done);
  Result<Entered> enter(Result<JoinedCluster> joined, std::vector<std::string> dropped);

  const Options options_;
  const Rooms rooms_;
  bool busy_ = false, ended_ = false;
};

}  // namespace drystone
