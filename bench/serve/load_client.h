#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "bench/serve/exchange.h"

namespace drystone {

struct LoadTarget {
  boost::asio::ip::tcp::endpoint endpoint;
  std::string api_key;
  double timeout_s = 600;  // of one request
  double stalled_s = 5;    // how long a client that does not read stays
};

// "http://127.0.0.1:8080". Errors: invalid_argument.
Result<boost::asio::ip::tcp::endpoint> parse_url(const std::string& url);

// One request on a connection of its own; its time begins before connecting. Fills `out` as it
// goes. `stop` is asked at every piece of the answer: true ends the exchange there, as a success.
boost::asio::awaitable<void> exchange(const LoadTarget& target, LoadRequest request,
                                      const Clock& clock, std::function<bool()> stop,
                                      Exchange& out);

// The status and body of a GET, for asking a server how it is; status 0 when nobody answers.
struct Answer {
  int status = 0;
  std::string body;
};
Answer ask(const LoadTarget& target, const std::string& path);

}  // namespace drystone
