#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/data_stream.h"
#include "net/peer_stream.h"
#include "net/tls_context.h"

namespace drystone {

// Takes connections of peers on one port, v4 and v6, runs their handshakes on the event loop, and
// hands each over as what it asked to be. A stranger costs a handshake and leaves nothing behind.
class PeerListener {
 public:
  struct Options {
    std::string address = "";          // an IP address; empty: all of this machine
    std::uint16_t port = 8399;         // 0: any free one
    std::size_t handshakes_max = 128;  // under way at once; one more takes the place of the oldest
    std::size_t handshakes_per_address_max = 32;  // one more is closed at once
    std::chrono::milliseconds handshake_within{5000};
  };

  // Called on the executor, which runs one thing at a time; they must not block.
  struct Handlers {
    std::function<void(std::unique_ptr<PeerStream>)> on_control;
    std::function<void(std::unique_ptr<DataStream>)> on_data;
  };

  // The context and the clock must outlive the listener and the streams that it hands over. Errors:
  // invalid_argument (no IP address), io (the port is in use, or may not be used).
  static Result<std::unique_ptr<PeerListener>> listen(boost::asio::any_io_executor executor,
                                                      const TlsContext& tls, const Clock& clock,
                                                      Options options, Handlers handlers);
  virtual ~PeerListener() = default;  // as close()

  virtual std::uint16_t port() const = 0;
  virtual std::size_t handshakes() const = 0;  // under way

  // On the executor: takes no more connections and gives up handshakes; no handler is called any
  // more.
  virtual void close() = 0;
};

}  // namespace drystone
