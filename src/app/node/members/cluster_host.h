#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/address.hpp>
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
#include "serve/peer/split/switchboard.h"
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
    std::string peer_address;        // where it takes connections of nodes; empty: everywhere
    std::uint16_t peer_port = 8399;  // 0: any free one
    std::vector<std::string> peers;  // "host:port", asked besides discovery
    std::string join_code;           // empty: found or go on
    bool discover = true;            // multicast
    std::string version;             // of the program, for others
    std::function<void(const std::string&)> say;  // what a person should read; on the loop
  };
  // Reads or makes the state, joins if asked to, listens; run() does the rest. Blocks (joining: up
  // to 30 s). Who is in a cluster with others already does not join: that is said, and no error.
  // Errors: invalid_argument, io, corrupt (each names the file or the flag), unavailable (nobody
  // answered the invitation; another process has the state).
  static Result<std::unique_ptr<ClusterHost>> open(const Options& options, const Clock& clock);
  virtual ~ClusterHost() = default;

  // Why run() ended. restart: the state was changed (joined, left, removed): open it anew, with
  // contacts() as further peers and without a code.
  enum class End { stopped, restart };
  virtual End run() = 0;    // on the calling thread, which becomes the loop's; saves at its end
  virtual void stop() = 0;  // any thread; tells the others first
  virtual std::vector<std::string> contacts() const = 0;  // after run()
  virtual bool ended() const = 0;  // any thread; what is posted from now on may never run

  virtual boost::asio::any_io_executor executor() = 0;  // any thread
  virtual cluster::ClusterCore& core() = 0;
  // After calls of core() that may change it: sends, saves (soon: a disk may be slow), tells the
  // listeners. A listener may change the core and need not call this.
  virtual void follow() = 0;
  // Added before run(); called on the loop for each event.
  virtual void listen(std::function<void(const cluster::ClusterEvent&)> listener) = 0;

  virtual std::string self() const = 0;         // node id; any thread
  virtual std::uint16_t peer_port() const = 0;  // any thread
  virtual const TlsContext& tls() const = 0;    // any thread
  // Key and addresses of a member, the best first; any thread. nullopt: none that we know of.
  virtual std::optional<NodePlace> find(const std::string& node) const = 0;
  // Of the addresses of a node that one stands first from now on, where it is known; nullopt: as
  // its interfaces promise. Any thread.
  virtual void prefer(const std::string& node,
                      const std::optional<boost::asio::ip::address>& address) = 0;
  // Data connections to members, which end when the member is put out. Any thread.
  virtual PeerDialer& dialer() = 0;
  // Who takes data connections of members; set before run(). Called on the loop; must not block.
  // They end when the member is put out.
  virtual void set_data_handler(std::function<void(std::unique_ptr<DataStream>)> handler) = 0;
  virtual void set_api(std::string url) = 0;  // before run(): where this node's API is, for others

  // --- what a person asks for; each follows by itself
  struct Node {
    std::string id, name;
    cluster::NodeState state = cluster::NodeState::dead;
    bool is_self = false;
    std::string address;  // of its peer port; empty: unknown
    std::string version;  // empty: unknown
    std::string api;      // empty: unknown
  };
  virtual std::vector<Node> nodes() = 0;  // all members, this one first, then by name
  // The id of a member by its id, the beginning of its id, or its name.
  // Errors: not_found, invalid_argument (several have that name)
  virtual Result<std::string> id_of(const std::string& name) = 0;
  struct Invited {
    std::string id;    // for people, no secret
    std::string code;  // to hand over
  };
  // With this node's addresses in the code or without. Errors: those of ClusterCore::invite.
  virtual Result<Invited> invite(const cluster::InvitationTerms& terms, bool with_addresses) = 0;
  virtual std::vector<cluster::OpenInvitation> invitations() = 0;
  // Gives its id. Errors: those of ClusterCore::withdraw.
  virtual Result<std::string> withdraw(const std::string& beginning) = 0;
  // Errors: as id_of, and those of ClusterCore::remove; the node itself: as leave.
  virtual Result<void> remove(const std::string& name) = 0;
  // Ends run() with restart. Errors: invalid_argument (it is alone).
  virtual Result<void> leave() = 0;
  // Ends run() with restart if all goes well. Calls `done` once, on the loop, with the models that
  // it ran until now and that the other cluster does not know of.
  // Errors: invalid_argument (the code; in a cluster with others; refused), unavailable, io.
  using Joined = Result<std::vector<std::string>>;
  virtual void join(const std::string& code, std::function<void(Joined)> done) = 0;
};

}  // namespace drystone
