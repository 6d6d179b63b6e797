#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <string>
#include <utility>

#include "net/data_stream.h"
#include "net/tls_channel.h"

namespace drystone {

// The bytes of one control connection on the event loop, through TLS, after the handshake: an
// AsyncStream as Asio and Beast mean it. One read and one write may be under way at once, on the
// executor, which runs one thing at a time. Operations hold no reference to the stream: it must
// outlive them; close() ends them with operation_aborted.
class PeerStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using executor_type = Socket::executor_type;

  PeerStream(Socket socket, std::unique_ptr<TlsChannel> channel);
  ~PeerStream();
  PeerStream(const PeerStream&) = delete;
  PeerStream& operator=(const PeerStream&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  const StreamPeer& peer() const { return peer_; }
  const PublicKey& peer_key() const { return channel_->peer_key(); }
  // TlsChannel::exporter()
  Digest exporter(std::string_view label) const { return channel_->exporter(label); }

  // Errors of both: asio::error::eof (the peer said goodbye), operation_aborted (close()),
  // connection_refused (the peer refused our key), connection_reset (all else).
  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token);
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token);

  // Says goodbye and closes; on the executor.
  void close();

 private:
  struct Step {
    boost::system::error_code error;
    std::size_t bytes = 0;
    TlsChannel::Wait wait = TlsChannel::Wait::none;
  };
  Step read_step(std::span<std::byte> into);
  Step write_step(std::span<const std::byte> from);

  Socket socket_;
  std::unique_ptr<TlsChannel> channel_;
  StreamPeer peer_;
};

}  // namespace drystone
