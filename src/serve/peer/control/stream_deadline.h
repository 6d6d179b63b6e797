#pragma once

#include <chrono>
#include <memory>

#include "net/loop_timer.h"
#include "net/peer_stream.h"

namespace drystone {

// Closes a stream unless it goes in time: what waits for the stream ends with operation_aborted.
// On the stream's executor.
class StreamDeadline {
 public:
  StreamDeadline(const std::shared_ptr<PeerStream>& stream, std::chrono::milliseconds within)
      : timer_(stream->get_executor()) {
    timer_.after(within, [late = std::weak_ptr<PeerStream>(stream)] {
      if (const auto alive = late.lock()) alive->close();
    });
  }
  StreamDeadline(const StreamDeadline&) = delete;

 private:
  LoopTimer timer_;
};

}  // namespace drystone
