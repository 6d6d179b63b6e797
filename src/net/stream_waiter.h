#pragma once

#include <atomic>

#include "base/clock.h"
#include "net/data_stream.h"
#include "net/socket_handle.h"

namespace drystone {

// The waits of one read or write of a DataStream on a socket: it spins, sleeps, and gives up as its
// StreamWait says, or when the stream is closed. Borrows all it is given for its life.
class StreamWaiter {
 public:
  StreamWaiter(int socket, const Clock& clock, const std::atomic<bool>& closed, StreamWait wait)
      : socket_(socket), clock_(clock), closed_(closed), wait_(wait) {}

  // Returns when the socket is worth asking again. Errors: unavailable (the time is over),
  // cancelled (the stream was closed), io.
  Result<void> wait(SocketSide side);

  // What was waited for came: the next wait spins anew.
  void progressed() { spins_until_.reset(); }

 private:
  int socket_;
  const Clock& clock_;
  const std::atomic<bool>& closed_;
  StreamWait wait_;
  std::optional<Clock::Nanoseconds> deadline_;     // since the first wait: most calls never wait
  std::optional<Clock::Nanoseconds> spins_until_;  // of this wait
};

}  // namespace drystone
