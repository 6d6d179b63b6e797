#include "net/socket_handle.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

namespace drystone {

void SocketHandle::reset() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

Result<void> prepare_stream_socket(int socket) {
  const int yes = 1;
  const int flags = ::fcntl(socket, F_GETFL, 0);
  bool done = flags >= 0 && ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) == 0 &&
              ::fcntl(socket, F_SETFD, FD_CLOEXEC) == 0 &&
              ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0;
#ifdef SO_NOSIGPIPE  // macOS, which has no MSG_NOSIGNAL
  done = done && ::setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes) == 0;
#endif
  if (done) return {};
  return Error(Errc::io, fmt::format("cannot prepare a socket: {}", std::strerror(errno)));
}

Result<SocketWait> wait_for_socket(int socket, SocketSide side, std::chrono::nanoseconds within) {
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(within).count();
  pollfd asked{.fd = socket,
               .events = static_cast<short>(side == SocketSide::readable ? POLLIN : POLLOUT),
               .revents = 0};
  const int ready =
      ::poll(&asked, 1, static_cast<int>(std::clamp<std::int64_t>(millis, 0, INT_MAX)));
  if (ready > 0) return SocketWait::ready;
  // A signal: who waits looks at its deadline and asks again.
  if (ready == 0) return SocketWait::timed_out;
  if (errno == EINTR) return SocketWait::ready;
  return Error(Errc::io, fmt::format("cannot wait for a socket: {}", std::strerror(errno)));
}

std::string peer_address(int socket) {
  sockaddr_storage storage = {};
  socklen_t size = sizeof storage;
  std::array<char, INET6_ADDRSTRLEN> text = {};
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "unknown";
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(v4.sin_port));
  }
  if (storage.ss_family != AF_INET6) return "unknown";
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  std::array<char, IF_NAMESIZE> scope = {};
  if (v6.sin6_scope_id != 0 && ::if_indextoname(v6.sin6_scope_id, scope.data()) != nullptr)
    return fmt::format("[{}%{}]:{}", text.data(), scope.data(), ntohs(v6.sin6_port));
  return fmt::format("[{}]:{}", text.data(), ntohs(v6.sin6_port));
}

}  // namespace drystone
