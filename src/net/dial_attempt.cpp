#include "net/dial_attempt.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "net/data_greeting.h"

namespace drystone {

namespace {

Error refused(std::string_view doing, int error) {
  return {error == ECONNREFUSED ? Errc::unavailable : Errc::io,
          fmt::format("{}: {}", doing, std::strerror(error))};
}

}  // namespace

Result<SocketHandle> start_connecting(const boost::asio::ip::tcp::endpoint& to,
                                      const std::optional<boost::asio::ip::address>& from) {
  SocketHandle socket(::socket(to.data()->sa_family, SOCK_STREAM, 0));
  if (!socket) return refused("opening a socket", errno);
  TRY(prepare_stream_socket(socket.get()));
  if (from) {
    const boost::asio::ip::tcp::endpoint local(*from, 0);
    if (::bind(socket.get(), local.data(), static_cast<socklen_t>(local.size())) != 0)
      return refused("going out from " + from->to_string(), errno);
  }
  if (::connect(socket.get(), to.data(), static_cast<socklen_t>(to.size())) != 0 &&
      errno != EINPROGRESS && errno != EINTR)
    return refused("connecting", errno);
  return socket;
}

Result<TlsChannel::Wait> DialAttempt::step() {
  if (!channel_) {
    using std::chrono::nanoseconds;
    if (TRY(wait_for_socket(options_.socket, SocketSide::writable, nanoseconds{0})) ==
        SocketWait::timed_out)
      return TlsChannel::Wait::writable;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(options_.socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return refused("connecting", error);
    channel_ = std::make_unique<TlsChannel>(tls_, options_);
  }
  if (!shaken_) {
    const auto wait = TRY(channel_->handshake());
    if (wait != TlsChannel::Wait::none) return wait;
    shaken_ = true;
    if (channel_->protocol() != options_.protocol)
      return Error(Errc::corrupt, "TLS handshake: the peer chose a protocol that was not offered");
  }
  if (options_.protocol == Protocol::control) return TlsChannel::Wait::none;
  std::byte greeting{};
  const auto progress = TRY(channel_->read_some(std::span(&greeting, 1)));
  if (progress.wait != TlsChannel::Wait::none) return progress.wait;
  if (greeting != kDataGreeting) return Error(Errc::corrupt, "the peer greets with a wrong byte");
  return TlsChannel::Wait::none;
}

}  // namespace drystone
