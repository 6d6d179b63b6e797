#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

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
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
        Operation{.stream = *this, .writes = false, .into = first_of(buffers)}, token, socket_);
  }
  // Completes when the system has taken the bytes; at most TlsChannel::kRecordBytes of them.
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
        Operation{.stream = *this, .writes = true, .from = gather(buffers)}, token, socket_);
  }

  // Says goodbye and closes; on the executor.
  void close();

 private:
  struct Step {
    boost::system::error_code error;
    std::size_t bytes = 0;
    TlsChannel::Wait wait = TlsChannel::Wait::none;
  };

  // A read or a write on its way: does what can be done now, waits for the socket, and so on.
  struct Operation {
    PeerStream& stream;
    bool writes;
    std::span<std::byte> into = {};
    std::span<const std::byte> from = {};
    bool inside_initiation = true;  // a handler is never called from within the call that names it
    bool done = false;
    Step result = {};

    template <typename Self>
    void operator()(Self& self, boost::system::error_code error = {}) {
      if (done) return self.complete(result.error, result.bytes);
      if (error) return self.complete(error, 0);
      const Step step = writes ? stream.write_step(from) : stream.read_step(into);
      result.error = step.error;
      result.bytes += step.bytes;
      if (!step.error && step.wait != TlsChannel::Wait::none) {
        from = {};  // taken over; what is left to do is to send it
        inside_initiation = false;
        const auto side =
            step.wait == TlsChannel::Wait::readable ? Socket::wait_read : Socket::wait_write;
        return stream.socket_.async_wait(side, std::move(self));
      }
      if (!inside_initiation) return self.complete(result.error, result.bytes);
      done = true;
      boost::asio::post(stream.get_executor(), std::move(self));
    }
  };

  template <typename Buffers>
  static std::span<std::byte> first_of(const Buffers& buffers) {
    for (auto at = boost::asio::buffer_sequence_begin(buffers);
         at != boost::asio::buffer_sequence_end(buffers); ++at) {
      const boost::asio::mutable_buffer buffer(*at);
      if (buffer.size() > 0) return {static_cast<std::byte*>(buffer.data()), buffer.size()};
    }
    return {};
  }

  // One record's worth: the head and the body of a message leave together.
  template <typename Buffers>
  std::span<const std::byte> gather(const Buffers& buffers) {
    std::span<const std::byte> first;
    staging_.clear();
    for (auto at = boost::asio::buffer_sequence_begin(buffers);
         at != boost::asio::buffer_sequence_end(buffers); ++at) {
      const boost::asio::const_buffer buffer(*at);
      const std::span bytes(static_cast<const std::byte*>(buffer.data()), buffer.size());
      if (first.empty()) {
        first = bytes;
        if (first.size() >= TlsChannel::kRecordBytes) return first;
      } else {
        if (staging_.empty()) staging_.assign(first.begin(), first.end());
        const std::size_t room = TlsChannel::kRecordBytes - staging_.size();
        staging_.insert(staging_.end(), bytes.begin(),
                        bytes.begin() + std::min(room, bytes.size()));
      }
    }
    return staging_.empty() ? first : staging_;
  }

  Step read_step(std::span<std::byte> into);
  Step write_step(std::span<const std::byte> from);
  Step failed(const Error& error) const;

  Socket socket_;
  std::unique_ptr<TlsChannel> channel_;
  StreamPeer peer_;
  std::vector<std::byte> staging_;
  bool closed_ = false;
};

}  // namespace drystone
