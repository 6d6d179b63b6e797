#include "net/socket_stream.h"

#include <fmt/format.h>
#include <sys/socket.h>

namespace drystone {

// Both ways at once, so that two ends that both write more than the system holds do not wait for
// each other.
Result<void> SocketStream::transfer(PartCursor parts, std::span<std::byte> into, StreamWait wait) {
  StreamWaiter waiter(socket_.get(), clock_, closed_, wait);
  const std::size_t whole = into.size();
  bool sent = parts.done();  // so that a reader leaves the writing side alone
  while (true) {
    if (!sent) sent = TRY(send_some(parts));
    std::size_t got = 0;
    if (!into.empty()) {
      auto received = receive_some(into);
      if (received.is(Errc::closed) && into.size() < whole)
        return Error(Errc::io, received.error().message() + " in the midst of a message");
      got = TRY(std::move(received));
      into = into.subspan(got);
    }
    if (sent && into.empty()) return {};
    if (got > 0)
      waiter.progressed();
    else
      TRY(waiter.wait(sent           ? SocketSide::readable
                      : into.empty() ? SocketSide::writable
                                     : SocketSide::either));
  }
}

// Says what was done with whom. A broken connection is what close() of another thread looks like
// from inside.
Result<void> SocketStream::end_of(std::string_view doing, Result<void> result) const {
  if (result) return result;
  if (closed_) return Error(Errc::cancelled, "this end of the connection was closed");
  return std::move(result).error().with(fmt::format("{} {}", doing, peer_.address));
}

Result<void> SocketStream::write(Parts parts, StreamWait wait) {
  if (closed_) return Error(Errc::cancelled, "this end of the connection was closed");
  return end_of("writing to", transfer(PartCursor(parts), {}, {.within = wait.within}));
}

Result<void> SocketStream::read(std::span<std::byte> into, StreamWait wait) {
  if (closed_) return Error(Errc::cancelled, "this end of the connection was closed");
  return end_of("reading from", transfer(PartCursor({}), into, wait));
}

Result<void> SocketStream::exchange(Parts parts, std::span<std::byte> into, StreamWait wait) {
  if (closed_) return Error(Errc::cancelled, "this end of the connection was closed");
  return end_of("exchanging with", transfer(PartCursor(parts), into, wait));
}

void SocketStream::close() {
  if (closed_.exchange(true)) return;
  say_goodbye();
  ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace drystone
