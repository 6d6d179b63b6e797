#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/clock.h"
#include "serve/http/access.h"
#include "serve/http/limits.h"
#include "serve/http/router.h"

namespace drystone {

// What all connections of a server share. On the loop thread.
struct SessionContext {
  const ServerLimits& limits;
  const AccessRules& access;
  const Router& router;
  const Clock& clock;
  ServerObserver* observer = nullptr;        // may be null
  boost::asio::ssl::context* tls = nullptr;  // null: in the clear
  std::size_t body_bytes = 0;                // of all requests at present
  bool stopping = false;                     // finish the answer at hand, then close
};

// One connection: HTTP/1.1 (and 1.0) requests one after the other, each answered before the next is
// looked at.
class Session {
 public:
  virtual ~Session() = default;
  static std::shared_ptr<Session> make(boost::asio::ip::tcp::socket socket,
                                       SessionContext& context);  // borrows both

  // Serves until either side closes. Never throws.
  virtual boost::asio::awaitable<void> run() = 0;
  virtual bool waits_for_request() const = 0;  // no whole request has come yet
  virtual void close() = 0;                    // at once; run() returns soon
};

}  // namespace drystone
