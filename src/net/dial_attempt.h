#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>

#include "net/socket_handle.h"
#include "net/tls_channel.h"

namespace drystone {

// A nonblocking socket that is on its way to `to`, going out from `from` if that is given. Errors:
// io, unavailable.
Result<SocketHandle> start_connecting(const boost::asio::ip::tcp::endpoint& to,
                                      const std::optional<boost::asio::ip::address>& from);

// One address on its way to a connection: TCP, the handshake, and for data the peer's greeting. It
// never waits. Borrows the socket and the context.
class DialAttempt {
 public:
  DialAttempt(const TlsContext& tls, TlsChannel::Options options)
      : tls_(tls), options_(std::move(options)) {}

  // Again after each wait, until it says none. Errors: io, and those of TlsChannel.
  Result<TlsChannel::Wait> step();

  // After that.
  std::unique_ptr<TlsChannel> take_channel() { return std::move(channel_); }

 private:
  const TlsContext& tls_;
  TlsChannel::Options options_;
  std::unique_ptr<TlsChannel> channel_;  // once TCP is connected
  bool shaken_ = false;
};

}  // namespace drystone
