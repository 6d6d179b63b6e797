#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/tls_context.h"
#include "serve/peer/split/switchboard.h"

namespace drystone {

// Where a node is, and the key that proves it.
struct NodePlace {
  PublicKey key;
  std::vector<boost::asio::ip::tcp::endpoint> addresses;  // the best first
};

// Data connections to the peer ports of nodes, over TLS.
class TlsDialer final : public PeerDialer {
 public:
  // Called from any thread; nullopt: nobody here knows that node.
  using Find = std::function<std::optional<NodePlace>(const std::string& node)>;

  // Borrows the context and the clock, for the life of the streams as well.
  TlsDialer(const TlsContext& tls, const Clock& clock, Find find)
      : tls_(tls), clock_(clock), find_(std::move(find)) {}

  Result<std::unique_ptr<DataStream>> dial(const std::string& node, std::chrono::nanoseconds within,
                                           const std::atomic<bool>& stop) override;

 private:
  const TlsContext& tls_;
  const Clock& clock_;
  const Find find_;
};

}  // namespace drystone
