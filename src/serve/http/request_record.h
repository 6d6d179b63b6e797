#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace drystone {

// What is known of one request when it is over: for metrics and the log. No prompt, no answer, no
// key. Times in seconds, -1 where the event did not come.
struct RequestRecord {
  std::string id;      // as in X-Request-Id; "" when the request did not reach a model
  std::string client;  // its address
  std::string method, path;
  int status = 0;
  bool complete = true;  // the client got all of the answer
  double total_s = 0;    // from the first byte of the request to the last of the answer
  std::uint64_t answer_bytes = 0;

  // Of its generations together, when a model worked on it.
  std::string model;  // by the first of its names
  std::uint32_t generations = 0;
  std::string finish;  // of the last: stop, length, abort, error
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  double queue_s = -1, prefill_s = -1, decode_s = -1, first_text_s = -1, generate_s = -1;
};

// Hears what happens in a server, on its loop thread. Must be quick.
class ServerObserver {
 public:
  virtual ~ServerObserver() = default;
  virtual void connection_opened() {}
  virtual void connection_closed() {}
  virtual void connection_refused() {}
  // The next `tokens` of an answer of `model` came `gap_s` after the ones before them.
  virtual void text_came(std::string_view model, double gap_s, std::size_t tokens) {
    (void)model, (void)gap_s, (void)tokens;
  }
  virtual void request_over(const RequestRecord& record) { (void)record; }
};

// The record of a request while it is worked on, and who hears of it.
struct RequestTrace {
  RequestRecord record;
  ServerObserver* observer = nullptr;
  const Clock* clock = nullptr;
};

// Who asks: whose turn it is in the queue, and where what becomes of it is noted.
struct Client {
  std::string name;
  // The lowest number, and so the highest rank, that its requests may have.
  std::int32_t priority_min = std::numeric_limits<std::int32_t>::min();
  std::shared_ptr<RequestTrace> trace;  // may be null
};

}  // namespace drystone
