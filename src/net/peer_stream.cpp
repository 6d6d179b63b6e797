#include "net/peer_stream.h"

#include <boost/asio/error.hpp>

#include "net/socket_handle.h"

namespace drystone {
namespace asio = boost::asio;

PeerStream::PeerStream(Socket socket, std::unique_ptr<TlsChannel> channel)
    : socket_(std::move(socket)),
      channel_(std::move(channel)),
      peer_{.key = channel_->peer_key(), .address = peer_address(socket_.native_handle())} {}

PeerStream::~PeerStream() { close(); }

void PeerStream::close() {
  if (closed_) return;
  closed_ = true;
  channel_->say_goodbye();
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.close(ignored);
}

PeerStream::Step PeerStream::failed(const Error& error) const {
  switch (error.code()) {
    case Errc::closed:
      return {.error = asio::error::eof};
    case Errc::unavailable:
      return {.error = asio::error::connection_refused};
    default:
      return {.error = asio::error::connection_reset};
  }
}

PeerStream::Step PeerStream::read_step(std::span<std::byte> into) {
  if (closed_) return {.error = asio::error::operation_aborted};
  if (into.empty()) return {};
  const auto progress = channel_->read_some(into);
  if (!progress) return failed(progress.error());
  return {.bytes = progress->bytes, .wait = progress->wait};
}

PeerStream::Step PeerStream::write_step(std::span<const std::byte> from) {
  if (closed_) return {.error = asio::error::operation_aborted};
  const auto progress = channel_->write_some(from);
  if (!progress) return failed(progress.error());
  return {.bytes = progress->bytes, .wait = progress->wait};
}

}  // namespace drystone
