#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/data_stream.h"
#include "net/peer_stream.h"
#include "net/tls_context.h"

namespace drystone {

struct ConnectOptions {
  // Of one peer, the best first (net/address_order.h). The next one is tried as well when one has
  // not answered within `next_after`; the first that passes the handshake is taken.
  std::vector<boost::asio::ip::tcp::endpoint> addresses;
  std::chrono::milliseconds within{5000};  // in all
  std::chrono::milliseconds next_after{250};
  // Whom we expect; empty: the context's policy is asked.
  TlsPolicy policy = nullptr;
  // Which of our addresses to go out from, to measure one interface; none: the system's choice.
  std::optional<boost::asio::ip::address> from = std::nullopt;

  static constexpr std::size_t kAddressesMax = 32;  // more are left out
};

// A policy that takes this one key.
TlsPolicy expect_key(const PublicKey& key);

// A data connection, for threads; blocks. It is there when the peer has taken our key, too. Borrows
// the context and the clock for the stream's life. Once `stop` is true it gives up within 50 ms.
// Errors: unavailable (no address answered as it should; says for each why), cancelled,
// invalid_argument (no address).
Result<std::unique_ptr<DataStream>> connect_data(const TlsContext& tls, const Clock& clock,
                                                 const ConnectOptions& options,
                                                 const std::atomic<bool>& stop);

// A control connection on the event loop, one address after the other. Whether the peer has taken
// our key shows in the first read. Errors: as above.
boost::asio::awaitable<Result<std::unique_ptr<PeerStream>>> connect_control(const TlsContext& tls,
                                                                            ConnectOptions options);

}  // namespace drystone
