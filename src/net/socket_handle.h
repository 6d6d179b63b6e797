#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/result.h"

namespace drystone {

// Owns a file descriptor. A resource: moves, does not copy.
class SocketHandle {
 public:
  SocketHandle() = default;
  explicit SocketHandle(int descriptor) : descriptor_(descriptor) {}
  ~SocketHandle() { reset(); }
  SocketHandle(SocketHandle&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  SocketHandle& operator=(SocketHandle&& other) noexcept {
    if (this != &other) {
      reset();
      descriptor_ = std::exchange(other.descriptor_, -1);
    }
    return *this;
  }

  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }
  int release() { return std::exchange(descriptor_, -1); }
  void reset();

 private:
  int descriptor_ = -1;
};

// Nonblocking, without Nagle's delay, not inherited by child processes, no SIGPIPE. Errors: io.
Result<void> prepare_stream_socket(int socket);

// What happened to a socket's wait.
enum class SocketWait : std::uint8_t { ready, timed_out };
enum class SocketSide : std::uint8_t { readable, writable };

// Sleeps until the socket is so, broken or shut down (all are `ready`: the next call on it tells),
// or `within` is over. Errors: io.
Result<SocketWait> wait_for_socket(int socket, SocketSide side, std::chrono::nanoseconds within);

// "10.0.0.7:8399" or "[fe80::1%eth0]:8399" of the other end; "unknown" where there is none.
std::string peer_address(int socket);

}  // namespace drystone
