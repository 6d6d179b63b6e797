#pragma once

#include <atomic>
#include <cstddef>
#include <string_view>

#include "base/clock.h"
#include "net/data_stream.h"
#include "net/part_cursor.h"
#include "net/socket_handle.h"
#include "net/stream_waiter.h"

namespace drystone {

// What DataStreams on sockets have in common: waiting. What differs is how bytes get into the
// socket and out of it.
class SocketStream : public DataStream {
 public:
  using DataStream::write;
  Result<void> write(Parts parts, StreamWait wait) final;
  Result<void> read(std::span<std::byte> into, StreamWait wait) final;
  Result<void> exchange(Parts parts, std::span<std::byte> into, StreamWait wait) final;
  void close() final;
  const StreamPeer& peer() const final { return peer_; }

 protected:
  SocketStream(SocketHandle socket, const Clock& clock, std::optional<PublicKey> peer_key)
      : socket_(std::move(socket)),
        clock_(clock),
        peer_{.key = peer_key, .address = peer_address(socket_.get())} {}

  int socket() const { return socket_.get(); }

 private:
  // Sends from `parts` what the socket takes now; whether that was all. Errors: io.
  virtual Result<bool> send_some(PartCursor& parts) = 0;
  // How many bytes came into the front of `into` (not empty); 0: none now. Errors: as read().
  virtual Result<std::size_t> receive_some(std::span<std::byte> into) = 0;
  virtual void say_goodbye() = 0;

  Result<void> transfer(PartCursor parts, std::span<std::byte> into, StreamWait wait);
  Result<void> end_of(std::string_view doing, Result<void> result) const;

  SocketHandle socket_;
  const Clock& clock_;
  StreamPeer peer_;
  std::atomic<bool> closed_ = false;
};

}  // namespace drystone
