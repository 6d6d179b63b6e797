#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/tls_context.h"

namespace drystone {

// The messages of this node to one other: one connection, opened when there is something to say,
// over whichever address answers, and again over the next one when it hangs. Messages may be lost
// (the cluster core reckons with it): those that wait longer than kMessageAgeMax are dropped, and
// the oldest ones when there are too many. All on the executor, which runs one thing at a time.
class ControlLink {
 public:
  static constexpr std::size_t kMessagesMax = 256;
  static constexpr std::size_t kBytesMax = 8 << 20;
  static constexpr std::chrono::milliseconds kMessageAgeMax{2000};
  static constexpr std::chrono::milliseconds kBackoffMin{100};
  static constexpr std::chrono::milliseconds kBackoffMax{1000};

  struct Options {
    PublicKey key;               // of the other
    std::uint16_t our_port = 0;  // where we take connections
    std::function<std::vector<boost::asio::ip::tcp::endpoint>()> addresses;  // best first
    // What became of an address that was tried.
    std::function<void(const boost::asio::ip::tcp::endpoint&, bool worked)> report;
  };

  // Borrows the context and the clock.
  ControlLink(boost::asio::any_io_executor executor, const TlsContext& tls, const Clock& clock,
              Options options);
  ~ControlLink();  // closes at once

  void send(std::string text);
  void address_came();  // do not wait for the next attempt
  bool idle() const;    // nothing waits to be sent

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace drystone
