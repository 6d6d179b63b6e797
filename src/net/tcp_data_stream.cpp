#include "net/tcp_data_stream.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "net/socket_stream.h"

namespace drystone {

namespace {

constexpr std::size_t kPartsPerCall = 16;
#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;  // the socket is set up not to raise SIGPIPE
#endif

class TcpDataStream final : public SocketStream {
 public:
  TcpDataStream(SocketHandle socket, const Clock& clock)
      : SocketStream(std::move(socket), clock, std::nullopt) {}
  ~TcpDataStream() override { close(); }

 private:
  Result<bool> send_some(PartCursor& parts) override;
  Result<std::size_t> receive_some(std::span<std::byte> into) override;
  void say_goodbye() override {}  // TCP's own end is all there is

  // Whether the system's answer to a call only means "not now".
  static bool is_not_now(int error) {
    return error == EINTR || error == EAGAIN || error == EWOULDBLOCK;
  }
  static Error broken(int error) {
    return {Errc::io, fmt::format("the connection broke: {}", std::strerror(error))};
  }
};

Result<bool> TcpDataStream::send_some(PartCursor& parts) {
  while (!parts.done()) {
    std::array<iovec, kPartsPerCall> pieces;
    std::size_t n = 0;
    const auto add = [&](std::span<const std::byte> piece) {
      pieces[n++] = {const_cast<std::byte*>(piece.data()), piece.size()};
    };
    add(parts.piece());
    for (const auto part : parts.parts_behind())
      if (n < pieces.size()) add(part);
    msghdr message = {};
    message.msg_iov = pieces.data();
    message.msg_iovlen = n;
    const ssize_t sent = ::sendmsg(socket(), &message, kSendFlags);
    if (sent < 0 && is_not_now(errno)) return false;
    if (sent < 0) return broken(errno);
    parts.advance(static_cast<std::size_t>(sent));
  }
  return true;
}

Result<std::size_t> TcpDataStream::receive_some(std::span<std::byte> into) {
  const ssize_t got = ::recv(socket(), into.data(), into.size(), 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0) return Error(Errc::closed, "the peer ended the connection");
  if (is_not_now(errno)) return std::size_t{0};
  return broken(errno);
}

}  // namespace

std::unique_ptr<DataStream> make_tcp_stream(SocketHandle socket, const Clock& clock) {
  return std::make_unique<TcpDataStream>(std::move(socket), clock);
}

}  // namespace drystone
