#pragma once

#include "serve/http/exchange.h"
#include "serve/http/session.h"
#include "serve/http/timed_connection.h"

namespace drystone {

// Writes the answer of an exchange, whole or as a stream, and notes in the exchange how far it is.
// On the loop thread; borrows all for its life.
class ReplyWriter final : public ReplySink {
 public:
  ReplyWriter(TimedConnection& connection, const SessionContext& context, Exchange& exchange)
      : connection_(connection), context_(context), exchange_(exchange) {}

  boost::asio::awaitable<bool> send(HttpReply reply) override;
  boost::asio::awaitable<bool> begin_events(HttpHeaders headers) override;
  boost::asio::awaitable<bool> write_events(std::string events) override;
  boost::asio::awaitable<bool> end_events() override;

  // In the dialect of the request's path.
  boost::asio::awaitable<void> refuse(const ApiError& error);

 private:
  void note_answer(int status, const HttpHeaders& headers);
  boost::asio::awaitable<bool> write(std::string text);

  TimedConnection& connection_;
  const SessionContext& context_;
  Exchange& exchange_;
};

}  // namespace drystone
