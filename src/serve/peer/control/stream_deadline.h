#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>

#include "net/peer_stream.h"

namespace drystone {

// Closes a stream unless it goes in time: what waits for the stream ends with operation_aborted.
// On the stream's executor.
class StreamDeadline {
 public:
  StreamDeadline(const std::shared_ptr<PeerStream>& stream, std::chrono::milliseconds within)
      : timer_(stream->get_executor(), within) {
    timer_.async_wait([late = std::weak_ptr<PeerStream>(stream)](boost::system::error_code error) {
      if (error) return;
      if (const auto alive = late.lock()) alive->close();
    });
  }
  StreamDeadline(const StreamDeadline&) = delete;

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace drystone
