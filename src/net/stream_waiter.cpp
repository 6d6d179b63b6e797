#include "net/stream_waiter.h"

#include <fmt/format.h>

namespace drystone {

namespace {

// Tells the processor that this is a loop that waits.
inline void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

Result<void> StreamWaiter::wait(SocketSide side) {
  if (closed_.load(std::memory_order_relaxed))
    return Error(Errc::cancelled, "this end of the connection was closed");
  const Clock::Nanoseconds now = clock_.monotonic();
  if (!deadline_) deadline_ = now + wait_.within;
  if (now >= *deadline_)
    return Error(Errc::unavailable,
                 fmt::format("the peer is silent: nothing within {} ms",
                             std::chrono::ceil<std::chrono::milliseconds>(wait_.within).count()));
  if (!spins_until_) spins_until_ = now + wait_.spin;
  if (now < *spins_until_) {
    wait_.meanwhile != nullptr ? (*wait_.meanwhile)() : pause_processor();
    return {};
  }
  TRY(wait_for_socket(socket_, side, *deadline_ - now));
  return {};
}

}  // namespace drystone
