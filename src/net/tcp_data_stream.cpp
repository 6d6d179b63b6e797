#include "net/tcp_data_stream.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "net/stream_waiter.h"

namespace drystone {

namespace {

constexpr std::size_t kPartsPerCall = 16;
#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;
#endif

class TcpDataStream final : public DataStream {
 public:
  TcpDataStream(SocketHandle socket, const Clock& clock)
      : socket_(std::move(socket)),
        clock_(clock),
        peer_{.key = std::nullopt, .address = peer_address(socket_.get())} {}
  ~TcpDataStream() override { close(); }

  Result<void> write(Parts parts, StreamWait wait) override;
  Result<void> read(std::span<std::byte> into, StreamWait wait) override;
  void close() override {
    if (!closed_.exchange(true)) ::shutdown(socket_.get(), SHUT_RDWR);
  }
  const StreamPeer& peer() const override { return peer_; }

 private:
  // What the system said about a call on the socket; waits if it only said "not now".
  Result<void> after(std::string_view doing, int error, SocketSide side, StreamWaiter& waiter) {
    if (closed_) return Error(Errc::cancelled, "this end of the connection was closed");
    if (error == EINTR) return {};
    if (error == EAGAIN || error == EWOULDBLOCK) return waiter.wait(side);
    return Error(Errc::io, fmt::format("{} {}: the connection broke: {}", doing, peer_.address,
                                       std::strerror(error)));
  }

  SocketHandle socket_;
  const Clock& clock_;
  StreamPeer peer_;
  std::atomic<bool> closed_ = false;
};

Result<void> TcpDataStream::write(Parts parts, StreamWait wait) {
  StreamWaiter waiter(socket_.get(), clock_, closed_, {.within = wait.within});
  std::size_t part = 0, offset = 0;  // what is sent
  while (true) {
    while (part < parts.size() && offset == parts[part].size()) ++part, offset = 0;
    if (part == parts.size()) return {};
    std::array<iovec, kPartsPerCall> pieces;
    std::size_t n = 0;
    for (std::size_t i = part; i < parts.size() && n < pieces.size(); ++i, ++n) {
      const auto rest = i == part ? parts[i].subspan(offset) : parts[i];
      pieces[n] = {const_cast<std::byte*>(rest.data()), rest.size()};
    }
    msghdr message = {};
    message.msg_iov = pieces.data();
    message.msg_iovlen = n;
    const ssize_t sent = ::sendmsg(socket_.get(), &message, kSendFlags);
    if (sent < 0) TRY(after("writing to", errno, SocketSide::writable, waiter));
    for (auto left = static_cast<std::size_t>(std::max<ssize_t>(sent, 0)); left > 0;) {
      const std::size_t here = std::min(left, parts[part].size() - offset);
      offset += here;
      left -= here;
      if (offset == parts[part].size()) ++part, offset = 0;
    }
  }
}

Result<void> TcpDataStream::read(std::span<std::byte> into, StreamWait wait) {
  StreamWaiter waiter(socket_.get(), clock_, closed_, wait);
  const std::size_t whole = into.size();
  while (!into.empty()) {
    const ssize_t got = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (got < 0) {
      TRY(after("reading from", errno, SocketSide::readable, waiter));
      continue;
    }
    if (got == 0 && closed_) return Error(Errc::cancelled, "this end of the connection was closed");
    if (got == 0)
      return Error(into.size() == whole ? Errc::closed : Errc::io,
                   "reading from " + peer_.address + ": the connection ended");
    into = into.subspan(static_cast<std::size_t>(got));
    waiter.progressed();
  }
  return {};
}

}  // namespace

std::unique_ptr<DataStream> make_tcp_stream(SocketHandle socket, const Clock& clock) {
  return std::make_unique<TcpDataStream>(std::move(socket), clock);
}

}  // namespace drystone
