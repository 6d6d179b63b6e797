#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/members/invitation_code.h"
#include "cluster/members/join.h"
#include "net/tls_context.h"

namespace drystone {

constexpr std::chrono::seconds kJoinWithin{25};
constexpr std::chrono::seconds kJoinRefusedWithin{
    3};  // since the last one who might let us in came
constexpr std::size_t kJoinCandidatesMax = 64;

struct JoinWish {
  cluster::InvitationCode code;
  std::string name;                // of this node
  std::vector<std::string> peers;  // "host:port", asked besides those of the code
  std::uint16_t our_port = 0;      // where we take connections
  bool discover = true;            // look for the invitation in the local networks
};

struct JoinedCluster {
  cluster::MemberList members;
  cluster::JoinWelcome welcome;
  boost::asio::ip::tcp::endpoint by;  // who let us in
};

// Asks whoever may know the invitation to let this node in, several at once, until one does. On the
// executor of the coroutine; borrows all for its life. `tls` and `crypto` are of the same key.
// Errors: invalid_argument (all who answered refuse, with a reason), unavailable (nobody answered).
boost::asio::awaitable<Result<JoinedCluster>> join_cluster(const TlsContext& tls,
                                                           const cluster::Crypto& crypto,
                                                           const Clock& clock, JoinWish wish);

}  // namespace drystone
