#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/peer_stream.h"

namespace drystone {

struct ControlPost {
  std::string_view path;
  std::string body;
  std::uint16_t our_port = 0;  // 0: we take no connections
  bool last = false;           // nothing follows on this connection
  std::chrono::milliseconds within;
  std::size_t answer_bytes_max;
};

// Sends one request over a control connection and gives the body of the answer. Beyond `within` the
// stream is closed. On the stream's executor.
// Errors: invalid_argument (the peer refuses it, with its reason; the stream is fit for more unless
//         it was the last), not_found (the peer takes no connections of this key), unavailable (no
//         whole answer in time). After the latter two the stream is of no more use.
boost::asio::awaitable<Result<std::string>> control_post(std::shared_ptr<PeerStream> stream,
                                                         ControlPost post);

}  // namespace drystone
