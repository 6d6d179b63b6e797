#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/http/api_error.h"
#include "serve/http/request_record.h"

namespace drystone {

// A request as handlers see it. HEAD is presented as GET; the session leaves the body of its answer
// out.
struct HttpRequest {
  std::string method;         // "GET"
  std::string path;           // "/v1/models/a b": decoded, without the query
  std::string query;          // behind the question mark, as it came
  std::string authorization;  // header fields, "" when absent
  std::string host;
  std::string origin;
  bool preflight = false;  // a browser asks whether its page may ask
  std::string body;
  std::string client_address;           // without the port
  std::shared_ptr<RequestTrace> trace;  // what is noted of it; may be null
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpReply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  HttpHeaders headers;
};

std::string_view status_text(int status);

HttpReply error_reply(const ApiError& error);  // as OpenAI's clients read it, with Retry-After

// Where a handler writes its answer: send() once, or begin_events(), any number of write_event(),
// and end_events(). On the loop thread. `false` says that the client is gone or too slow: stop and
// return.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual boost::asio::awaitable<bool> send(HttpReply reply) = 0;
  // A Content-Type among `headers` makes it a stream of something else.
  virtual boost::asio::awaitable<bool> begin_events(HttpHeaders headers) = 0;
  virtual boost::asio::awaitable<bool> write_events(
      std::string events) = 0;  // as sse.h writes them
  virtual boost::asio::awaitable<bool> end_events() = 0;
};

}  // namespace drystone
