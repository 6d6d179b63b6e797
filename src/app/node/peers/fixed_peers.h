#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/tls_context.h"

namespace drystone {

// Finds out which member stands at each of the addresses that a person gave ("host:port"), and
// asks again as long as none is known to. On the executor.
class FixedPeers {
 public:
  static constexpr std::size_t kPeersMax = 64;
  static constexpr std::chrono::seconds kAskEvery{3};

  struct Handlers {
    // Whether a member that is alive is known to be at this address: it need not be asked.
    std::function<bool(const boost::asio::ip::tcp::endpoint&)> is_settled;
    // `key`, which the context's policy has admitted, answers there.
    std::function<void(const PublicKey& key, const boost::asio::ip::tcp::endpoint&)> found;
  };

  // Borrows the context.
  FixedPeers(const boost::asio::any_io_executor& executor, const TlsContext& tls,
             const std::vector<std::string>& peers, Handlers handlers);
  ~FixedPeers();  // no handler is called any more

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace drystone
